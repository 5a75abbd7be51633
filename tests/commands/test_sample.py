"""`gan sample` by class, by code and from a truncated prior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gan_cli
from gan_cli.commands.sample import sample
from gan_cli.errors import UserError
from tests.command_arguments import arguments_for


@pytest.fixture
def samples(tmp_path, monkeypatch, capsys):
    """Draw into an array; return it, uint8 (N, H, W, 3), and where it lies."""
    monkeypatch.chdir(tmp_path)

    def draw(run: str, *words: str) -> tuple[np.ndarray, Path]:
        capsys.readouterr()
        sample(*arguments_for("sample", run, *words, "format=npz"))
        path = Path(capsys.readouterr().out.strip())
        return np.load(path)["samples"], path

    return draw


def test_classes_keep_the_z(samples, run_of):
    run = run_of("classes")
    every, _ = samples(run, "count=20")
    some, path = samples(run, "count=20", "y=[Bag,3]")
    assert (some[[3, 8, 13, 18]] == every[[3, 8, 13, 18]]).all()
    assert (some[4::10] != every[4::10]).any()
    one, other = samples(run, "count=20", "y=8")
    assert (one[::2] == some[::2]).all()
    assert path.name.endswith("_count_20_y_8+3.npz")
    assert other.name.endswith("_count_20_y_8.npz")


def test_codes_alone_change(samples, run_of):
    run = run_of("codes")
    drawn, _ = samples(run, "count=10")
    threes, first = samples(run, "count=10", "c=3")
    fours, second = samples(run, "count=10", "c=[4,null,null]")
    shifted, _ = samples(run, "count=10", "c=[3,null,2.0]")
    assert len({first, second}) == 2
    assert (drawn != threes).any()
    assert (threes != fours).any()
    assert (threes != shifted).any()


def test_a_truncated_prior_has_less_variety(samples, run_of):
    run = run_of("clothes")
    narrow, path = samples(run, "count=40", "truncation=0.01")
    wide, _ = samples(run, "count=40", "truncation=3")
    assert path.name.endswith("_truncation_0.01.npz")
    assert narrow.astype(float).std(axis=0).mean() < 0.1 * wide.astype(float).std(axis=0).mean()


def test_raw_weights_have_a_name_of_their_own(samples, run_of):
    run = run_of("clothes")
    assert samples(run, "count=4")[1] != samples(run, "count=4", "weights=raw")[1]


def test_mistakes(samples, run_of):
    def declined(run, *words):
        with pytest.raises(UserError) as caught:
            samples(run, *words)
        return str(caught.value)

    clothes, classes, codes = run_of("clothes"), run_of("classes"), run_of("codes")
    assert "did you mean Bag? classes: 0 T-shirt/top, 1 Trouser" in declined(classes, "y=[0,Bg]")
    assert declined(classes, "y=10").startswith("y=10: there is no class 10; classes: 0 T-shirt/top, ")
    assert declined(classes, "y=[]").startswith(
        "y=[]: must be a class, or a list of classes as in 'y=[0,3]', by number"
    )
    assert declined(clothes, "y=0").endswith("was trained without classes (condition=none); leave y out")
    assert declined(codes, "c=10") == "c=10.0: 10: code 0 has the values 0 to 9"
    four = declined(codes, "c=[1,2,3,4]")
    assert four.endswith("the prior InfoGAN has 3 codes: 0 to 9, any number, any number")
    assert declined(clothes, "c=0").endswith("the prior Normal has no codes")
    assert declined(codes, "truncation=2") == (
        "truncation=2.0: the prior InfoGAN is already bounded; only a normal prior can be truncated; "
        "leave truncation out"
    )


def test_the_command_line(gan, refused, run_of):
    run = run_of("classes")
    assert gan("sample", run, "y=[0,Bag]", "truncation=1.5").out.endswith("count_64_y_0+8_truncation_1.5.png\n")
    assert refused("sample", run, "truncation=0") == (
        "truncation=0: must be a number above 0 or null, such as truncation=2.0"
    )


def test_labels_beside_the_samples(gan, refused, run_of):
    run = run_of("classes")
    assert gan("sample", run, "format=npz", "labels=true", "count=12", "y=[3,1]", "out=x.npz").code == 0
    with np.load("x.npz") as found:
        assert found["labels"].tolist() == [3, 1] * 6
        assert (found["labels"].dtype, found["samples"].shape) == (np.int64, (12, 28, 28, 3))
    assert gan_cli.load(run).sample(11).labels.tolist() == [*range(10), 0]
    assert gan("sample", run, "format=npz", "count=2", "out=y.npz").code == 0
    with np.load("y.npz") as found:
        assert found.files == ["samples"]
    assert "format=grid has no place for them; use format=npz" in refused("sample", run, "labels=true")
    assert "without classes" in refused("sample", run_of("clothes"), "labels=true", "format=npz")
