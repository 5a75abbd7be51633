"""`gan doctor` lists what was prepared, and `gan clean` removes it: nothing else."""

from __future__ import annotations

import fcntl

import numpy as np
import pytest
import torch

from gan_cli.data.caches import caches
from gan_cli.data.folder import Folder
from gan_cli.data.kept import kept
from tests.helpers import random_pictures, write_pictures


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's directory, with the prepared pictures of two folders, features, and what is no cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in "ab":
        opened(write_pictures(tmp_path / name, random_pictures(12, 16, 16, 3)))
    kept("features", "0" * 40, lambda: np.zeros(1000))
    root = tmp_path / "cache" / "gan_cli"
    (root / "data" / "mnist").mkdir(parents=True)
    (root / "prepared" / "mine").mkdir()
    (root / "prepared" / ("f" * 40)).mkdir()
    (root / "prepared" / ("f" * 40) / "thesis.tex").write_text("precious")
    return root


def opened(path):
    return Folder(image_size=8, path=str(path)).open(4, 0, torch.device("cpu"))


def left(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.name[-5:] != ".lock")


NO_CACHES = ["data", "data/mnist", "features", "prepared", "prepared/" + "f" * 40]
NO_CACHES += ["prepared/" + "f" * 40 + "/thesis.tex", "prepared/mine"]


def test_all_caches_are_listed_and_removed_and_nothing_else(gan, tmp_path, cache):
    listed = gan("doctor").out
    found = caches()
    assert len(found) == 3
    assert f"3 x 8 x 8 from {tmp_path / 'a'}" in listed
    assert all(each.path.name in listed for each in found)
    assert "`gan clean` removes them" in listed
    ended = gan("clean")
    assert ended.code == 0
    assert ended.out.count("removed ") == 3
    assert all(f"removed {each.path}: " in ended.out for each in found)
    assert left(cache) == NO_CACHES
    assert gan("clean").out == f"{cache} has no caches\n"
    assert f"none in {cache}" in gan("doctor").out


def test_those_of_one_folder(gan, tmp_path, cache):
    before = opened(tmp_path / "a").fingerprint
    assert gan("clean", "../" + tmp_path.name + "/a").out.count("removed ") == 1
    assert [each.place for each in caches()] == [str(tmp_path / "b"), ""]
    assert opened(tmp_path / "a").fingerprint == before  # prepared again
    (of_b,) = [each for each in caches() if each.place.endswith("b")]
    gan("clean", of_b.path.name)
    assert [each.place for each in caches()] == [str(tmp_path / "a"), ""]


@pytest.mark.parametrize("word", ["runs", "cache/gan_cli/data/mnist", "cache/gan_cli/prepared/mine", "f" * 40, "/"])
def test_what_is_no_cache_is_refused_and_nothing_is_removed(gan, cache, word):
    before = left(cache)
    ended = gan("clean", str(caches()[0].path), word)
    assert (ended.code, ended.out) == (2, "")
    assert f"{word}: not a cache" in ended.err
    assert left(cache) == before


def test_links_are_not_followed(gan, tmp_path, cache):
    for name, target in (("a" * 40, caches()[0].path), ("b" * 40, tmp_path)):
        (cache / "prepared" / name).symlink_to(target)
    (cache / "features" / f"{'1' * 40}.npy").symlink_to(tmp_path / "a" / "000.png")
    gan("clean")
    assert (tmp_path / "a" / "000.png").exists()
    assert sum(path.is_symlink() for path in cache.rglob("*")) == 3


def test_one_that_is_being_made_is_left_and_one_that_is_read_stays_readable(gan, tmp_path, cache):
    data = opened(tmp_path / "a")
    (of_b,) = [each for each in caches() if each.place.endswith("b")]
    with open(of_b.path.with_name(f".{of_b.path.name}.lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert f"kept {of_b.path}: a process is making it" in gan("clean").out
    assert [each.path for each in caches()] == [of_b.path]
    assert data.train.batch(*data.train.draw(0)).x.shape == (4, 3, 8, 8)


def test_what_a_killed_process_left_is_removed(gan, cache):
    unfinished = cache / "prepared" / f".{'c' * 40}.tmp"
    unfinished.mkdir()
    (unfinished / "images.uint8").write_bytes(bytes(100))
    assert "unfinished" in gan("doctor").out
    gan("clean")
    assert left(cache) == NO_CACHES
