"""`gan list --matrix`: which options run together, and why others do not."""

import pytest

from gan_cli.commands import _list_matrix
from gan_cli.commands._list_matrix import Options, Table, render
from tests.conftest import LOSSES


@pytest.fixture
def one_table(monkeypatch):
    monkeypatch.setattr(_list_matrix, "PAIRS", (("condition", "model"),))


def test_options_are_what_hydra_composes(config_of):
    options = Options(["runtime.threads=1"])
    for loss in LOSSES:
        assert options.config(loss=loss) == config_of(f"loss={loss}")
    chosen = {"loss": "wgan_gp", "constraint": "r1", "model": "toy_tanh", "dataset": "ring"}
    assert options.config(**chosen) == config_of(*("=".join(item) for item in chosen.items()))


def test_images(gan, one_table):
    lines = gan("list", "--matrix").out.splitlines()
    assert lines[0].split()[:3] == ["condition", "x", "model"]
    assert len([line for line in lines if line.startswith("projection")]) == len(parts_of(lines))
    assert any(line.startswith("+  runs (") for line in lines)


def parts_of(lines):
    """The heads of a table, which is cut where it is wider than a page."""
    return [line for line in lines if line.startswith("condition x model")]


def test_points_and_their_reasons(gan, one_table):
    out = gan("list", "--matrix", "swiss_roll").out
    assert "a  this condition needs labels, and dataset=SwissRoll has none: condition=none" in out
    assert "convolutions need images, the data are 2-D points: model=toy_mlp" in out
    assert max(map(len, out.partition("\n+  runs")[0].splitlines())) <= 120


def test_a_shape(gan, one_table):
    assert "convolutions need images, the data are 1-D points" in gan("list", "--matrix", "1").out
    assert "convolutions need images" not in gan("list", "--matrix", "3x64x64").out


def test_a_users_own_option_has_a_column(gan, one_table, tmp_path):
    path = tmp_path / "conf" / "model" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("# Mine\nwidth: 4\n")
    out = gan("list", "--matrix", "--config-dir", "conf").out
    assert "mine" in out.splitlines()[0]
    assert "a  no model is chosen" in out or "a  model" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--matrix", "rinf"), "--matrix rinf: no such dataset; did you mean ring? datasets: "),
        (("--matrix", "folder"), "--matrix folder: dataset=folder needs a directory"),
        (("loss", "--matrix"), "loss: --matrix has its own groups"),
    ],
)
def test_mistakes(refused, arguments, expected):
    assert refused("list", *arguments).startswith(expected)


def test_a_wide_table_is_cut_into_pieces():
    names = [f"option_{i}" for i in range(30)]
    table = Table("a", "b", {(row, name): "no" if row == name else None for row in names for name in names})
    lines = render([table], 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.split().count("a") for line in lines if line.startswith("option_")) == 30
    assert lines[-2:] == ["+  runs (870 pairs)", "a  no"]
