"""What `gan sample` writes is read again byte for byte."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.data.array_file import ArrayFile
from gan_cli.data.folder import Folder

SMALL = (
    *("runtime=cpu", "runtime.threads=1", "train.steps=1", "train.batch_size=4", "model.width=4", "log.sample_count=4"),
    *("dataset=array", "dataset.path=x.npy", "log.to=[]"),
)


@pytest.fixture(params=[(1, 28, 28), (3, 16, 24), (4, 12, 20), (2, 17, 9)], ids=str)
def run(request, gan, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (30, *request.param), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    ended = gan("train", *SMALL, "dataset.layout=nchw", "run_dir=run")
    assert ended.code == 0, ended.err
    return request.param


def prepared(path, shape):
    found = Folder(shape[1:], str(path)).collect()
    return np.concatenate([chunk.images for chunk in found.chunks(np.arange(len(found)))])


def test_samples_in_an_npz(run, gan):
    path = gan("sample", "run", "count=6", "format=npz").out.strip()
    written = np.load(path)["samples"]
    channels = 3 if run[0] == 1 else run[0]
    assert written.shape == (6, *run[1:], channels)
    dataset = ArrayFile(path, layout="nhwc")
    assert dataset.expected_shape() == (channels, *run[1:])
    np.testing.assert_array_equal(dataset.arrays().x[:], written.transpose(0, 3, 1, 2))
    data = ArrayFile(path, holdout=1).open(5, 0, torch.device("cpu"))
    batch = data.train.batch(*data.train.draw(0)).x
    stored = ((batch + 1) * 127.5).round().to(torch.uint8).flatten(1).tolist()
    assert all(image in written.transpose(0, 3, 1, 2).reshape(6, -1).tolist() for image in stored)


def test_samples_in_pngs(run, gan):
    ended = gan("sample", "run", "count=6", "format=png", "out=pictures")
    if run[0] not in (1, 3):
        what = f"images of {run[0]} channels, and a PNG has 1 or 3"
        assert ended.err == f"gan: format=png: the samples are {what}; use format=npz\n"
        return
    arrays = np.load(gan("sample", "run", "count=6", "format=npz").out.strip())["samples"]
    read = prepared("pictures", run)
    assert read.shape == (6, *run)
    np.testing.assert_array_equal(read, arrays.transpose(0, 3, 1, 2)[:, : run[0]])
    size = f"dataset.image_size=[{run[1]},{run[2]}]"
    again = gan("train", *SMALL[:-3], "dataset=folder", "dataset.path=pictures", size, "run_dir=again")
    assert again.code == 0, again.err
    assert "dataset.fit" not in Path("again/train.log").read_text()
