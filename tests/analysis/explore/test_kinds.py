"""The kinds of `gan explore` on small runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from gan_cli.analysis.explore.shares import share_of
from gan_cli.analysis.explore.sheets import sheet
from gan_cli.commands.sample import sample
from gan_cli.data.loader import to_bytes
from gan_cli.session import single_parts
from tests.analysis.explore.conftest import Seen
from tests.command_arguments import arguments_for
from tests.conftest import CONF

SIDE = 28 + 2  # of a cell


@pytest.mark.parametrize("path", sorted((CONF / "kind").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_kind_passes_the_check_as_it_is_and_builds(path):
    config, _ = arguments_for("explore", "runs/NAME", f"kind={path.stem}")
    assert config.plain()["kind"] == yaml.safe_load(path.read_text())
    assert type(single_parts.kind(config)).__name__ == config.kind.name


def cells(picture: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Return (rows, columns, 28, 28) of the grid at a picture's lower right."""
    grid = picture[-rows * SIDE :, -columns * SIDE :, 0]
    return grid.reshape(rows, SIDE, columns, SIDE)[:, :28, :, :28].swapaxes(1, 2)


def main(seen: Seen):
    """Return the name of the picture that has no name of its own."""
    return next(path.name for path in seen.files if path.stem == seen.files[-1].stem and path.suffix == ".png")


def test_words_leave_the_images_as_they_are():
    x = torch.rand(6, 1, 28, 28) * 2 - 1
    picture = sheet(x, 3, ["a", "a longer word"], ["top", "another that is cut"])
    np.testing.assert_array_equal(cells(picture, 3, 2).reshape(6, 28, 28), to_bytes(x)[:, 0].numpy())
    assert (picture[: -2 * SIDE, :] < 128).any()
    assert (picture[:, : -3 * SIDE - 2] < 128).any()


def test_the_share_of_an_input():
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    assert share_of(columns) == pytest.approx(1)
    assert share_of(rows) == pytest.approx(0)
    assert share_of(rows + columns) == pytest.approx(2 / (2 + 1.25))  # variances of 0..4 and 0..3
    assert share_of(torch.ones(2, 3, 4)) is None


def test_arithmetic(explore, run_of):
    run = run_of("clothes")
    seen = explore(run, "kind=arithmetic", "kind.a=[0]", "kind.b=[0]", "kind.c=[5]", "kind.count=8", "kind.noise=0")
    sample(*arguments_for("sample", run, "count=8", "format=npz", "out=x.npz"))
    fifth = np.load("x.npz")["samples"][5, ..., 0].astype(int)
    picture = seen.picture(main(seen))
    assert seen.json["neighbourhood"] == pytest.approx(0, abs=1e-6)
    pixels = cells(picture, 1, 1)[0, 0].astype(int)
    np.testing.assert_allclose(pixels, fifth, atol=2)  # 0 - 0 + 5, of the pixels
    around = cells(picture[:, : -SIDE - 2 - 12], 3, 3)
    np.testing.assert_allclose(around.reshape(9, 28, 28).astype(int), np.broadcast_to(fifth, (9, 28, 28)), atol=2)


def test_arithmetic_with_classes_and_noise(explore, declined, run_of):
    run = run_of("classes")
    seen = explore(run, "kind=arithmetic", "kind.count=12")
    assert seen.json["neighbourhood"] > 0
    assert len(seen.files) == 3
    line = declined(run, "kind=arithmetic", "kind.a=[64]")
    assert line == "kind (Arithmetic): a=[64]: the sheet has samples 0 to 63; use a larger kind.count"
    assert "kind.b=[]: must be" in declined(run, "kind=arithmetic", "kind.b=[]")


def test_truncation(explore, run_of):
    few = ("kind=truncation", "kind.psi=[0.01,3]", "kind.columns=3", "kind.count=100")
    seen = explore(run_of("memorised"), *few)
    at = seen.json["at"]
    assert list(at) == ["0.01", "3", "prior", "floor"]
    assert 40 < seen.json["count"] <= 50  # all that there are
    assert at["0.01"]["recall"] <= at["floor"]["recall"]
    assert seen.json["floor"] == "heldout"
    narrow, wide = cells(seen.picture(main(seen)), 3, 2)
    assert narrow.astype(float).std(axis=0).mean() < 0.1 * wide.astype(float).std(axis=0).mean()


def test_priors_with_bounds_are_not_truncated(declined, run_of):
    line = declined(run_of("codes"), "kind=truncation")
    assert line.startswith("kind=truncation: the prior InfoGAN is already bounded")


def test_codes(explore, declined, run_of):
    run = run_of("codes")
    seen = explore(run, "kind=codes", "kind.rows=2", "kind.columns=3")
    assert [path.stem.partition("_rows_2_columns_3")[2] for path in seen.files] == ["_code_0", "_code_1", "_code_2", ""]
    found = seen.json["codes"]
    assert [code["values"] for code in found.values()] == [[*range(10)], [-2, 0, 2], [-2, 0, 2]]
    assert all(0 <= code["share_of_variance"] <= 1 for code in found.values())
    assert 0 <= found["code_0"]["read_back"] <= 1
    assert -1 <= found["code_2"]["read_back"] <= 1
    one = explore(run, "kind=codes", "kind.rows=2", "kind.columns=3", "kind.code=2")
    assert set(one.json["codes"]) == {"code_2"}
    assert one.json["codes"]["code_2"]["share_of_variance"] == found["code_2"]["share_of_variance"]
    assert declined(run, "kind=codes", "kind.code=3") == "kind.code=3: the run's codes are 0 to 2"
    assert "train a run with loss=infogan" in declined(run_of("clothes"), "kind=codes")


def test_classes(explore, declined, run_of):
    run = run_of("classes")
    seen = explore(run, "kind=classes", "kind.rows=2", "kind.steps=2", "kind.count=20")
    ways, columns = cells(seen.picture("between.png"), 2, 10), cells(seen.picture(main(seen)), 10, 2)
    np.testing.assert_allclose(ways[:, 0].astype(int), columns[0], atol=1)
    np.testing.assert_allclose(ways[:, 1].astype(int), np.roll(columns[0], -1, axis=0), atol=1)
    sample(*arguments_for("sample", run, "count=2", "y=7", "format=npz", "out=x.npz"))
    np.testing.assert_allclose(columns[:, 7].astype(int), np.load("x.npz")["samples"][..., 0], atol=1)
    assert set(seen.json["named_rightly"]["classes"]) >= {"Bag", "Trouser"}
    assert 0 <= seen.json["named_rightly"]["mean"] <= 1
    assert "train a run with condition=concat" in declined(run_of("clothes"), "kind=classes")
