"""Names that are not UTF-8: pictures are read under them; a run is made under none, in one line, before any file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import gan_cli
from gan_cli.core.text import one_line, visible
from gan_cli.errors import UserError
from gan_cli.runs.directory import read_status
from tests.helpers import random_pictures, write_pictures

LATIN_1 = os.fsdecode(b"caf\xe9")
SHOWN = r"caf\xe9"
TRAIN = ("train", "dataset=folder", "dataset.image_size=8", "model=mlp", "model.width=4", "train.batch_size=2")
SMALL = ("runtime=cpu", "runtime.threads=1", "train.steps=1")


def pictures(directory: Path) -> None:
    write_pictures(directory, random_pictures(6, 8, 8))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    try:
        (tmp_path / LATIN_1).mkdir()
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    return tmp_path


def test_such_bytes_are_shown_as_escapes():
    assert visible(LATIN_1) == one_line(LATIN_1) == SHOWN


@pytest.mark.parametrize(
    "words",
    [
        ("train", f"run_dir=runs/{LATIN_1}"),
        ("train", "dataset=folder", f"dataset.path={LATIN_1}"),
        ("train", "--config-dir", LATIN_1),
        ("train", "--from", LATIN_1),
        ("train", "-m", f"run_dir={LATIN_1}", "seed=0,1"),
        ("sample", "runs/x", f"out={LATIN_1}.png"),
        *((c, LATIN_1) for c in ("resume", "evaluate", "compare", "report", "runs", "board", "tag", "list", "study")),
    ],
    ids=lambda words: " ".join(map(visible, words)),
)
def test_no_command_takes_one(here, refused, words):
    assert refused(*words).endswith(": is not UTF-8, and no config can hold it: rename the file or directory")


def test_no_command_runs_in_such_a_directory(here, refused, gan, monkeypatch):
    monkeypatch.chdir(here / LATIN_1)
    for words in ((*TRAIN, *SMALL), ("sample", "runs/x"), ("runs",), ("doctor",)):
        assert refused(*words) == f"the working directory {here}/{SHOWN} is not UTF-8: rename it, or cd to another one"
    assert gan("--help").code == 0


def test_a_directory_that_was_removed_is_said(here, refused, monkeypatch):
    monkeypatch.chdir(here / LATIN_1)
    shutil.rmtree(here / LATIN_1)
    assert refused("runs") == "the working directory was removed: cd to another one"


def test_python_is_refused_likewise(here, monkeypatch):
    monkeypatch.chdir(here)
    for call in (
        lambda: gan_cli.load(LATIN_1),
        lambda: gan_cli.compose([f"run_dir={LATIN_1}"]),
        lambda: gan_cli.train(["dataset=folder", f"dataset.path={LATIN_1}"]),
    ):
        with pytest.raises(UserError, match="is not UTF-8"):
            call()


def test_a_home_with_such_a_name_can_hold_the_cache_and_no_data(here, gan, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(here / LATIN_1))
    pictures(here / "p")
    pictures(here / LATIN_1 / "p")
    assert gan(*TRAIN, *SMALL, "dataset.path=p", "run_dir=run").code == 0
    assert list((here / LATIN_1 / ".cache").rglob("*.uint8"))
    ended = gan(*TRAIN, *SMALL, "dataset.path='~/p'", "run_dir=other")
    assert (ended.code, ended.err.partition(":")[0]) == (2, "gan")
    assert f"{SHOWN}/p: is not UTF-8" in ended.err
    assert not (here / "other").exists()


def test_pictures_may_have_such_names_and_classes_may_not(here, gan):
    pictures(here / "p")
    shutil.copy(here / "p" / "000.png", here / "p" / f"{LATIN_1}.png")
    (here / "p" / f"bad {LATIN_1}.png").write_bytes(b"nonsense")
    (here / "p" / f"{LATIN_1}.avif").write_bytes(b"")
    line = (*TRAIN, *SMALL, "dataset.path=p", "run_dir=run")
    ended = gan(*line)
    assert (ended.code, ended.err.partition(";")[0]) == (
        2,
        rf"gan: p/bad {SHOWN}.png: corrupt, or not a picture that Pillow can read",
    )
    assert gan(*line, "dataset.skip_bad=true").code == 0
    assert read_status(Path("run"))["status"] == "finished"
    listed = Path("run/unused_pictures.txt").read_bytes()
    assert b"p/caf\xe9.avif\t" in listed
    assert rb"bad caf\xe9.png" in listed
    pictures(here / "classes" / "a")
    pictures(here / "classes" / LATIN_1)
    ended = gan(*TRAIN, *SMALL, "dataset.path=classes")
    assert (
        ended.err == f"gan: dataset.path=classes: the folder {SHOWN} is a class, and its name is not UTF-8: rename it\n"
    )
