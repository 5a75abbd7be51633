"""Images of other shapes and channel counts, through every kind of network, task and command; or one line why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tasks.made_pairs import write_pairs

SMALL = (
    *("runtime=cpu", "runtime.threads=1", "train.steps=2", "train.batch_size=4", "model.width=2"),
    *("log.every_steps=1", "log.samples_every_steps=1", "log.sample_count=4", "log.to=[]"),
)
SHAPES = [(1, 16, 24), (2, 24, 16), (3, 16, 40), (5, 17, 12), (16, 8, 9)]
OPTIONS = [
    ("model=dcgan_plain", "loss=hinge", "constraint=spectral_norm"),
    ("model=resnet", "loss=wgan_gp"),
    ("model=mlp", "loss=began"),
    ("model=dcgan", "loss=ebgan", "model.critic.attention=4"),
    ("model=mlp_goodfellow", "loss=gan"),
    ("model=dcgan", "loss=hinge", "input=ada", "input.start=1.0", "dataset.flip=true"),
    ("model=dcgan", "loss=lsgan", "input=diffaugment", "constraint=bcr"),
    ("model=dcgan", "loss=nonsaturating", "input=pack"),
    ("model=resnet", "loss=infogan", "latent=infogan"),
    ("model=dcgan", "loss=mmd"),
    ("model=dcgan", "loss=hinge", "condition=concat"),
    (
        "model=dcgan",
        "loss=wgan",
        "evaluate.every_steps=2",
        "evaluate.count=9",
        "evaluate.w1_count=8",
        "extractor=pixels",
    ),
]
RESTORED = [
    ("degradation=downsample", "degradation.factor=2", "model=srresnet", "model.generator.blocks=1"),
    ("degradation=mask", "model=unet", "model.critic.halvings=1"),
    ("degradation=mask", "degradation.region=boxes", "model=unet", "model.critic.halvings=1", "task.critic_reads=both"),
    ("degradation=edges", "model=resnet_translator", "model.generator.blocks=1", "model.critic.halvings=1"),
    ("degradation=blur", "degradation.std=0.5", "model=unet", "model.critic.halvings=1"),
    ("degradation=noise", "model=resnet_translator", "model.generator.blocks=1", "model.critic.halvings=1"),
]


def written(tmp_path, shape, n=30):
    x = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", x=x, labels=np.arange(n) % 3)
    return ("dataset=array", "dataset.path=x.npz", "dataset.layout=nchw", "dataset.holdout=10")


@pytest.fixture
def trained(gan):
    def train(*words):
        ended = gan("train", *SMALL, *words, "run_dir=run")
        assert ended.code == 0, ended.err
        assert sorted(path.name for path in Path("run/samples").iterdir())[-1] == "step_0000000002.png"
        return ended

    return train


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_every_kind_of_part_trains_on_them(trained, tmp_path, words):
    shape = SHAPES[OPTIONS.index(words) % len(SHAPES)]
    if "model=resnet" in words or "model.critic.attention=4" in words:
        shape = (shape[0], 16, 24)
    trained(*written(tmp_path, shape), *words)


@pytest.mark.parametrize(("words", "channels"), list(zip(RESTORED, (3, 5, 1, 2, 3, 5), strict=True)))
def test_restoration(trained, gan, tmp_path, words, channels):
    trained(*written(tmp_path, (channels, 16, 24)), "task=restore", *words)
    drawn = gan("sample", "run", "count=4")
    assert drawn.code == 0, drawn.err
    assert gan("evaluate", "run", "extractor=pixels", "count=8", "w1_count=4").code == 0
    pixels = np.random.default_rng(1).integers(0, 256, (20, 36, 3), dtype=np.uint8)
    Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(tmp_path / "mine.png")
    applied = gan("sample", "run", "source=mine.png", "degrade=true", "out=made")
    if channels in (1, 3):
        assert applied.code == 0, applied.err
        assert Image.open("made/mine.png").size == (36, 20)
    else:
        assert applied.err == (
            f"gan: source=mine.png: this run's images have {channels} channels, and pictures have 1 or 3; leave source "
            "out\n"
        )


def test_translation_of_rectangles(trained, tmp_path, gan):
    write_pairs(tmp_path / "pairs")
    words = ("dataset=pairs", "dataset.path=pairs", "model.critic.halvings=1", "dataset.image_size=[16,24]")
    trained("task=translate", *words, "dataset.fit=stretch")
    assert "16 x 24" in Path("run/train.log").read_text()
    two = ("dataset_b=fashion_mnist_10k", "dataset_b.image_size=[16,24]", "dataset_b.limit=40")
    sizes = ("dataset.image_size=[16,24]", "dataset.fit=pad", "dataset.limit=40", "model.generator.blocks=1")
    ended = gan("train", *SMALL, "task=cycle", *two, *sizes, "model.critic.halvings=1", "run_dir=cycle")
    assert ended.code == 0, ended.err
    log = Path("cycle/train.log").read_text()
    assert "dataset.fit=pad: pictures of 28 x 28 do not fill" in log
    assert "dataset_b.fit=crop: pictures of 28 x 28 are cut" in log
    assert "is lost; dataset_b.fit=pad or stretch keeps it" in log


def test_what_cannot_follow_says_so(refused, tmp_path):
    def message(shape, *words):
        data = written(tmp_path, shape)
        return refused("train", *SMALL, *data, *words)

    grey = message((5, 16, 24), "task=restore", "degradation=grey", "model=unet", "model.critic.halvings=1")
    assert "the images have 5 channels, not red, green and blue; use a dataset with colours" in grey
    odd = message((3, 16, 22), "task=restore", "degradation=downsample")
    assert odd.endswith("factor=4 does not divide images of 16 x 22: dataset.image_size=[16,20]")
    thin = message((3, 16, 22), "task=restore", "degradation=noise", "model=resnet_translator")
    assert "a multiple of 4 and at least 16" in thin
    every = ("evaluate.every_steps=1", "evaluate.count=9")
    for extractor in ("auto", "inception", "efficientnet_lite0", "fashion_mnist"):
        line = message((5, 16, 24), *every, f"extractor={extractor}")
        assert line.startswith(f"extractor={extractor}: ")
        assert "5" in line
        assert "extractor=pixels" in line
