"""A dataset that is a class of the user's own, by `_target_`; and files of arrays by command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gan_cli.runs.metrics_log import METRICS, read_rows

MODULE = """
import numpy as np
import torch
from torch.utils.data import Dataset

from gan_cli.data.array_set import ArraySet, as_arrays

class Faces(Dataset):
    classes = ("left", "right")
    def __init__(self, n: int = 30, side: int = 8):
        self.x = torch.rand(n, 3, side, 12, generator=torch.Generator().manual_seed(1)) * 2 - 1
    def __len__(self):
        return len(self.x)
    def __getitem__(self, i):
        return self.x[i], i % 2

class Whole(ArraySet):
    name = "whole"
    def __init__(self, seed: int = 0, **others):
        super().__init__(**others)
        self.x = np.random.default_rng(seed).integers(0, 256, (30, 8, 12, 3), dtype=np.uint8)
    def arrays(self):
        return as_arrays(self.x)

class Raises(Faces):
    def __getitem__(self, i):
        raise KeyError("no such face")

class Iterable:
    def __iter__(self):
        yield 1

class TooBright(Faces):
    def __getitem__(self, i):
        return self.x[i] * 255, 0
"""
SMALL = (
    "runtime=cpu",
    "runtime.threads=1",
    "train.steps=2",
    "train.batch_size=4",
    "model.width=2",
    "log.every_steps=1",
)


@pytest.fixture
def mine(gan, tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)

    def run(name, *words):
        return gan("train", f"dataset._target_=mine.{name}", "allow_targets=[mine]", *SMALL, *words, "run_dir=run")

    return run


def rows(path=Path("run")):
    return read_rows(path / METRICS)


def test_a_dataset_of_torchs(mine, gan):
    ended = mine("Faces", "+dataset.n=20", "condition=concat", "loss=hinge")
    assert ended.code == 0, ended.err
    assert [row["step"] for row in rows()] == [1, 2]
    first = rows()
    assert gan("resume", "run", "allow_targets=[mine]", "train.steps=4").code == 0
    assert rows()[:2] == first
    assert rows()[-1]["step"] == 4
    found = gan("evaluate", "run", "allow_targets=[mine]", "extractor=pixels", "w1_count=4", "count=9")
    assert found.code == 0, found.err
    assert gan("sample", "run", "allow_targets=[mine]", "y=[right]", "count=4", "format=npz").code == 0


def test_a_subclass_of_this_packages_has_its_keys(mine):
    assert mine("Whole", "+dataset.seed=3", "dataset.holdout=9", "dataset.flip=true").code == 0
    status = json.loads(Path("run/run.json").read_text())
    assert status["status"] == "finished"
    assert "21 samples of 3 x 8 x 12, 9 held out" in Path("run/train.log").read_text()


def test_mistakes_leave_nothing(gan, refused, tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    for name, words, message in (
        (
            "Iterable",
            [],
            "dataset=mine.Iterable: not a dataset: it must have a length and an item for each number",
        ),
        ("Raises", [], "dataset (Raises): KeyError: 'no such face' ("),
        ("TooBright", [], "floating-point images must be in [-1, 1]: give uint8, or x / 127.5 - 1"),
        (
            "Faces",
            ["+dataset.sides=3"],
            "dataset.sides=3: no such key; did you mean dataset.side=3? keys of dataset: n",
        ),
        ("Faces", ["+dataset.side=4"], "have fewer than 8 pixels a side: model=toy_mlp"),
        ("Absent", [], "has no class Absent"),
    ):
        line = refused("train", f"dataset._target_=mine.{name}", "allow_targets=[mine]", *SMALL, *words)
        assert message in line
    line = refused("train", "dataset._target_=mine.Faces", *SMALL)
    assert "if you trust it, add 'allow_targets=[mine]'" in line


@pytest.mark.parametrize("ending", ["npy", "npz", "h5"])
def test_files_of_arrays(gan, tmp_path, ending):
    x = np.random.default_rng(0).integers(0, 65536, (30, 8, 12, 5), dtype=np.uint16)
    path, option = tmp_path / f"x.{ending}", "hdf5" if ending == "h5" else "array"
    if ending == "h5":
        h5py = pytest.importorskip("h5py", reason='pip install "gan_cli[hdf5]"')
        with h5py.File(path, "w") as file:
            file["x"] = x
    else:
        {"npy": np.save, "npz": lambda p, a: np.savez(p, x=a)}[ending](path, x)
    ended = gan("train", f"dataset={option}", "dataset.path=" + path.name, *SMALL, "run_dir=run")
    assert ended.code == 0, ended.err
    assert "28 samples of 5 x 8 x 12, 2 held out" in ended.err + ended.out
    assert gan("resume", "run", "train.steps=3", f"dataset.path={path}").code == 0
    assert rows()[-1]["step"] == 3
    np.save(tmp_path / "other.npy", x[::-1])
    if option == "array":
        assert "the data" in gan("resume", "run", "train.steps=4", "dataset.path=other.npy").err
