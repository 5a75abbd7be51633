"""Hosts without the usual: no home and an unknown user, `python -O`, config files of other editors."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from gan_cli.data.places import user_directory
from tests.children import fresh

ROOT = Path(__file__).resolve().parents[1]
BROKEN = ("seed=range(0,2)", "dataset.limit={Bag:20,Coat:10}")


def nobody(*_: object) -> None:
    raise KeyError("getpwuid(): uid not found: 12345")


def test_a_user_without_a_name_and_a_home_has_a_cache(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert user_directory() == Path(tempfile.gettempdir(), "gan_cli-12345")


@pytest.mark.parametrize("dataset", ["folder", "array", "pairs", "hdf5"])
def test_and_no_dataset_fails_for_it(monkeypatch, refused, dataset):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert "~/nowhere" in refused("train", f"dataset={dataset}", "dataset.path='~/nowhere'")


def test_nor_does_the_doctor(monkeypatch, gan):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert gan("doctor").code in (0, 1)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        *((word, "Hydra reads functions and mappings inside asserts; unset PYTHONOPTIMIZE\n") for word in BROKEN),
        ("run_dir=${seed} seed=0,1", "several values are a sweep; add -m, or write a list as seed=[...]\n"),
    ],
)
def test_what_hydra_cannot_read_under_python_o_is_refused_with_its_cure(word, said):
    environment = os.environ | {"PYTHONOPTIMIZE": "1", "PYTHONPATH": str(ROOT)}
    ended = fresh("-m", "gan_cli", "train", *word.split(), environment=environment, code=2)
    assert ended.stderr == f"gan: {word.split()[-1]}: {said}"


def test_a_byte_order_mark_in_a_config_file_is_refused_with_its_cure(refused, tmp_path):
    mine = tmp_path / "my own" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"\xef\xbb\xbf# @package _global_\ntrain: {steps: 1}\n")
    line = refused("train", "--config-dir", "my own", "experiment=mine")
    assert line.startswith(f"{mine} begins with a byte order mark")
    cure = line.partition("one: ")[2]
    subprocess.run(["bash", "-c", cure], check=True)
    assert mine.read_bytes() == b"# @package _global_\ntrain: {steps: 1}\n"


def test_lines_that_end_as_on_windows_are_read(gan, tmp_path):
    mine = tmp_path / "conf" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"# @package _global_\r\ntrain:\r\n  steps: 77\r\n")
    shown = gan("train", "--config-dir", "conf", "experiment=mine", "--cfg", "job", "--package", "train")
    assert "steps: 77" in shown.out


def test_tags_may_begin_with_a_byte_order_mark(tmp_path):
    from gan_cli.data.tagged_folder import read_tags

    (tmp_path / "tags.json").write_bytes(b'\xef\xbb\xbf{"a.png": ["red"]}')
    assert read_tags(str(tmp_path / "tags.json")) == {"a.png": ("red",)}
