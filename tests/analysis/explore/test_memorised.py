"""`gan explore kind=neighbours` on generators that copy training images, and on such that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_cli.analysis import look
from gan_cli.analysis.reals import open_singly, take
from gan_cli.data.images import FashionMNIST10k

FEW = ("kind=neighbours", "kind.count=60", "kind.k=2", "kind.rows=4")


def images():
    return open_singly(FashionMNIST10k(28, limit=50), torch.device("cpu"))


def let_generate(monkeypatch, x):
    """Let a generator return these images in turn."""

    def generate(game, network, z, y=None, batch_size=256):
        yield x[torch.arange(len(z)) % len(x)].to(z.device)

    monkeypatch.setattr(look, "generate", generate)


def test_training_images_are_copies(explore, run_of, monkeypatch):
    let_generate(monkeypatch, images().train.at(torch.arange(50)).x)
    seen = explore(run_of("memorised"), *FEW)
    assert [p.name.endswith(end) for p, end in zip(seen.files, (".png", "_distances.png", ".json"), strict=True)]
    found = seen.json
    assert found["verdict"].startswith("memorised: 100.0 % of 60 samples are nearer to a training image, in pixels and")
    assert seen.out.count(found["verdict"]) == 1
    assert (found["training_images"], found["heldout_images"], found["share_of_copies"]) == (50, 500, 1.0)
    for space in found["spaces"].values():
        assert space["median_of_samples"] < 1e-5 < space["quantile_1_percent_of_heldout"]
        assert space["share_of_samples_nearer"] == 1
        assert space["mann_whitney_z"] < -10
        assert space["mann_whitney_p"] < 1e-20
    picture = seen.picture(seen.files[0].name)[14:]  # below the titles, each sample beside itself
    cell, grid = 58, 62  # 28 pixels are shown as 56
    assert (picture[2:58, 2:58] == picture[2:58, grid + 8 :][:, _start(picture, grid + 8) :][:, :56]).all()
    assert picture.shape[0] == 2 + 4 * cell


def _start(picture, after):
    """Columns of white up to the next image."""
    return int(np.argmax((picture[2:58, after:] < 255).any(axis=(0, 2))))


def test_held_out_images_are_not(explore, run_of, monkeypatch):
    let_generate(monkeypatch, take(images().heldout, 0, 500).x)
    found = explore(run_of("memorised"), *FEW, "kind.count=500").json
    assert found["verdict"].startswith("not memorised: ")
    assert found["share_of_copies"] <= 0.01
    for space in found["spaces"].values():
        assert space["mann_whitney_z"] == pytest.approx(0, abs=1e-6)
        assert space["c_t"] == pytest.approx(0, abs=1e-6)
        assert space["median_of_samples"] == space["median_of_heldout"]


def test_some_copies_are_enough(explore, run_of, monkeypatch):
    data = images()
    let_generate(monkeypatch, torch.cat([data.train.at(torch.arange(50)).x, take(data.heldout, 0, 150).x]))
    found = explore(run_of("memorised"), *FEW, "kind.count=200").json
    assert found["verdict"].startswith("memorised: 25")


def test_pixels_alone(explore, run_of):
    seen = explore(run_of("memorised"), *FEW, "extractor=pixels")
    assert set(seen.json["spaces"]) == {"pixels"}
    assert "in pixels, than 1 % of the held-out images are" in seen.out


def test_mistakes(refused, run_of):
    assert refused("explore", run_of("stacked"), *FEW) == (
        "kind=neighbours: these training data are endless, so a generator cannot memorise them"
    )
    assert "kind.count=10" in refused("explore", run_of("memorised"), *FEW, "kind.count=10")


@pytest.mark.slow
def test_a_generator_that_memorised_50_images_in_training_is_caught(gan, explore, tmp_path):
    loss = ("loss=sinkhorn", "loss.space=pixels", "loss.blur=0.5", "loss.diameter=30", "constraint=none")
    parts = ("updates=alternating", "model=mlp", "model.width=16", "latent.size=8", "optimizer.lr=1e-3", "runtime=cpu")
    data = ("dataset.limit=50", "train.batch_size=50", "dataset.image_size=16", "train.steps=1600")
    assert gan("train", *loss, *parts, *data, "runtime.threads=1", f"run_dir={tmp_path / 'run'}").code == 0
    found = explore(str(tmp_path / "run"), "kind=neighbours").json
    assert found["verdict"].startswith("memorised: ")
    assert all(space["c_t"] < -2 for space in found["spaces"].values())


@pytest.mark.slow
def test_a_generator_of_9_500_images_has_not(gan, explore, tmp_path):
    parts = ("experiment=gallery", "loss=nonsaturating", "model.width=16", "dataset.image_size=16", "train.steps=600")
    assert gan("train", *parts, "runtime=cpu", "runtime.threads=1", f"run_dir={tmp_path / 'run'}").code == 0
    found = explore(str(tmp_path / "run"), "kind=neighbours").json
    assert found["verdict"].startswith("not memorised: ")
    assert all(space["c_t"] > 2 for space in found["spaces"].values())
