"""Where a command writes what it makes: the suffix is the file's kind, or it is refused before anything is computed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.analysis.figures import SUFFIXES


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG"])
def test_the_suffix_of_a_grid_is_its_kind(gan, run_of, suffix):
    run = run_of("clothes")
    assert gan("sample", run, "count=4", f"out=made/x{suffix}").out == f"made/x{suffix}\n"
    with Image.open(f"made/x{suffix}") as picture:
        assert picture.format == SUFFIXES[suffix.lower()][0]
        assert picture.size == (62, 62)


def test_a_directory_takes_the_file_by_its_own_name(gan, run_of):
    run = run_of("clothes")
    Path("there").mkdir()
    for out in ("figs/", "a/b/", "there"):
        made = gan("sample", run, "count=4", f"out={out}").out.strip()
        assert Path(made).parent == Path(out)
        assert Path(made).name == "step_0000000001_seed_0_count_4.png"
        assert Path(made).is_file()
    made = gan("sample", run, "count=4", "format=npz", "out=figs/").out.strip()
    assert np.load(made)["samples"].shape == (4, 28, 28, 3)
    made = gan("evaluate", run, "extractor=pixels", "count=20", "w1_count=10", "out=figs/").out.strip().splitlines()[-1]
    assert Path(made).parent == Path("figs")
    assert Path(made).suffix == ".json"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("sample out=x.pdf", "out=x.pdf: is not written as a .pdf file; use out=x.png, or .jpg .jpeg"),
        ("sample out=x.npz", "out=x.npz: is not written as a .npz file; use out=x.png, or .jpg"),
        ("sample out=x", "out=x: is not written as a file without an ending; use out=x.png"),
        ("sample out=v1.2", "out=v1.2: is not written as a .2 file; use out=v1.2.png"),
        ("sample format=npz out=x.png", "out=x.png: is not written as a .png file; use out=x.npz"),
        ("sample format=png out=x.png", "out=x.png: a directory is written, not a .png file; use out=x/"),
        ("sample format=png out=a/x.png", "out=a/x.png: a directory is written, not a .png file; use out=a/x/"),
        ("evaluate out=x.csv", "out=x.csv: is not written as a .csv file; use out=x.json"),
        ("collapse out=x.png", "out=x.png: is not written as a .png file; use out=x.json"),
        ("explore kind=walk out=x.gif", "out=x.gif: a directory is written, not a .gif file; use out=x/"),
        ("export out=g.safetensors", "out=g.safetensors: a directory is written, not a .safetensors file; use out=g/"),
        ("export format=onnx out=g.pt2", "out=g.pt2: is not written as a .pt2 file; use out=g.onnx"),
        ("report --out x.html", "--out x.html: a directory is written, not a .html file; use --out x/"),
        ("compare --out x.html", "--out x.html: a directory is written, not a .html file; use --out x/"),
    ],
)
def test_another_kind_is_refused(refused, run_of, words, line):
    command, *rest = words.split()
    run = run_of("clothes")
    assert refused(command, run, *rest).startswith(line)


def test_the_directory_of_a_classifier_and_of_a_study(refused):
    assert refused("classifier", "out=x.pt").startswith("out=x.pt: a directory is written")
    assert refused("study", "dirac_gan", "out=x.png").startswith("out=x.png: a directory is written")


def test_home_is_meant_where_a_shell_leaves_it(gan, run_of, tmp_path, monkeypatch):
    run = run_of("clothes")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert gan("sample", run, "count=4", "out='~/x.png'").out == f"{tmp_path}/home/x.png\n"
    Path(run).rename(tmp_path / "home" / "mine")
    assert gan("sample", "~/mine", "count=4").code == 0
    assert not Path("~").exists()
