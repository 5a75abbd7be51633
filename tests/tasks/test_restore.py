"""Each degradation against numpy, Pillow or scipy; what is made of it without learning; content in features."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from gan_cli.data.images import FashionMNIST10k
from gan_cli.degradations.base import as_sample, luma
from gan_cli.degradations.blurring import Blur, Noise
from gan_cli.degradations.colour import Edges, Grey
from gan_cli.degradations.masking import Mask
from gan_cli.degradations.resizing import Downsample
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.rng import Draws
from gan_cli.tasks.restore import Restore


@pytest.fixture(scope="module")
def x():
    """Images (4, 1, 32, 32) in [-1, 1]."""
    source = FashionMNIST10k(32).open(4, 0, torch.device("cpu")).heldout
    return source.batch(*source.draw(0)).x


@pytest.fixture(scope="module")
def colours(x):
    return torch.cat([x, x.flip(3), -x], dim=1)


def draws(seed=0):
    return Draws("cpu", seed, 7)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_fewer_pixels_are_those_of_pillow_or_means(x, factor):
    small = Downsample(factor)(x, draws())
    side = 32 // factor
    expected = [np.asarray(Image.fromarray(i[0].numpy()).resize((side, side), Image.Resampling.BICUBIC)) for i in x]
    np.testing.assert_allclose(small[:, 0], np.clip(expected, -1, 1), atol=1e-5)
    boxes = x.numpy().reshape(4, 1, side, factor, side, factor).mean(axis=(3, 5))
    np.testing.assert_allclose(Downsample(factor, "box")(x, draws()), boxes, atol=1e-6)
    assert Downsample(factor).source_shape((1, 32, 32)) == (1, side, side)


def test_its_baseline_is_pillows_bicubic_enlargement(x):
    made = Downsample(4)
    small = made(x, draws())
    expected = [np.asarray(Image.fromarray(i[0].numpy()).resize((32, 32), Image.Resampling.BICUBIC)) for i in small]
    np.testing.assert_allclose(made.unlearned(small, (1, 32, 32))[:, 0], np.clip(expected, -1, 1), atol=1e-5)


def test_a_blur_is_that_of_scipy(x):
    expected = ndimage.gaussian_filter(x.numpy(), 1.5, axes=(2, 3), mode="mirror", radius=5)
    np.testing.assert_allclose(Blur(1.5)(x, draws()), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"std=12\.0 reaches over the whole image"):
        Blur(12.0).source_shape((1, 32, 32))


def test_noise_has_the_deviation_and_the_bounds_that_it_names():
    x = torch.zeros(8, 1, 64, 64)
    noisy = Noise(0.3)(x, draws())
    n = x.numel()
    assert float(noisy.mean()) == pytest.approx(0, abs=4 * 0.3 / math.sqrt(n))
    assert float(noisy.std()) == pytest.approx(0.3, abs=4 * 0.3 / math.sqrt(2 * n))
    assert torch.equal(noisy, Noise(0.3)(x, draws()))
    assert not torch.equal(noisy, Noise(0.3)(x, draws(1)))
    assert float(Noise(5.0)(x, draws()).abs().max()) == 1


def test_grey_is_pillows_luma(colours):
    found = Grey()(colours, draws())
    bytes_of = ((colours + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in bytes_of])
    np.testing.assert_allclose((found[:, 0] + 1) * 127.5, expected, atol=1)
    with pytest.raises(ValueError, match="grey already"):
        Grey().source_shape((1, 32, 32))
    assert torch.equal(Grey().unlearned(found, (3, 32, 32)), found.expand(-1, 3, -1, -1))


def test_edges_are_scipys_sobel_gradient(colours):
    found = Edges(2.0)(colours, draws())
    for made, grey in zip(found, luma(colours), strict=True):
        down, across = (ndimage.sobel(grey[0].numpy(), axis=axis, mode="nearest") / 8 for axis in (0, 1))
        np.testing.assert_allclose(made[0], 1 - 2 * np.clip(2.0 * np.hypot(across, down), 0, 1), atol=1e-5)
    assert Edges().source_shape((3, 32, 32)) == tuple(found.shape[1:])


def holes(source):
    """The rows and columns of each hole."""
    hole = source[:, -1] > 0
    assert torch.equal(source[:, -1].abs(), torch.ones_like(source[:, -1]))
    return [(h.any(dim=1).nonzero()[:, 0].tolist(), h.any(dim=0).nonzero()[:, 0].tolist()) for h in hole]


@pytest.mark.parametrize(
    ("mask", "rows", "columns"),
    [
        (Mask(), range(8, 24), range(8, 24)),
        (Mask(share=0.25), range(12, 20), range(12, 20)),
        (Mask("half"), range(32), range(16, 32)),
    ],
)
def test_a_hole_is_where_the_region_says(colours, mask, rows, columns):
    source = mask(colours, draws())
    assert tuple(source.shape[1:]) == mask.source_shape((3, 32, 32)) == (4, 32, 32)
    assert holes(source) == [(list(rows), list(columns))] * 4
    hole = (source[:, 3:] > 0).expand_as(colours)
    assert torch.equal(source[:, :3][~hole], colours[~hole])
    assert bool((source[:, :3][hole] == 0).all())
    output = torch.full_like(colours, 0.5)
    assert torch.equal(mask.completed(output, source), torch.where(hole, output, colours))


def test_boxes_are_at_a_random_place_within_the_image(x):
    many = x.repeat(50, 1, 1, 1)
    found = holes(Mask("boxes", 0.5)(many, draws()))
    assert all(len(rows) == len(columns) == 16 for rows, columns in found)
    starts = {(rows[0], columns[0]) for rows, columns in found}
    assert len(starts) > 100
    assert {0, 16} <= {top for top, _ in starts}
    assert max(max(start) for start in starts) == 16
    assert found == holes(Mask("boxes", 0.5)(many, draws()))


def test_the_baseline_of_a_hole_is_the_mean_of_the_rest(colours):
    mask = Mask()
    made = mask.unlearned(mask(colours, draws()), (3, 32, 32))
    rest = np.ones((32, 32), bool)
    rest[8:24, 8:24] = False
    expected = colours.numpy()[:, :, rest].mean(axis=2)
    np.testing.assert_allclose(
        made[:, :, 8:24, 8:24], np.broadcast_to(expected[..., None, None], (4, 3, 16, 16)), atol=1e-5
    )
    assert torch.equal(made[:, :, rest], colours[:, :, rest])


def test_channels_of_a_sample():
    three = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(as_sample(three, (1, 8, 8)), luma(three))
    assert torch.equal(as_sample(three[:, :1], (3, 8, 8)), three[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(as_sample(torch.cat([three, three[:, :1]], dim=1), (3, 8, 8)), three)


def test_content_in_features_is_their_mean_squared_distance(x):
    task = Restore(Downsample(), content="features")
    extractor = FashionMNIST()
    extractor.load(torch.device("cpu"))
    task.use(extractor)
    fake = x.flip(0).clone().requires_grad_()
    value = task._content(fake, x)
    expected = (extractor(fake).x - extractor(x).x).square().mean()
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, fake)
    assert float(gradient.abs().sum()) > 0


SMALL = ("model.width=4", "model.generator.blocks=1", "train.batch_size=4", "train.steps=2", "log.every_steps=1")


def test_a_run_with_content_in_features_names_its_extractor_and_needs_no_evaluation(gan, refused):
    content = ("task=restore", "task.content=features", "dataset.limit=20", "dataset.image_size=16", *SMALL)
    assert gan("train", *content, "extractor=fashion_mnist", "run_dir=run", "runtime=cpu").code == 0
    row = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert row["generator/content"] > 0
    ended = gan("train", *content, "extractor=pixels", "run_dir=other", "runtime=cpu")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2,
        "gan: extractor=pixels has no gradient to the images; use extractor=fashion_mnist",
    )
    without = refused("train", "task=restore", "dataset.image_size=16", *SMALL, "extractor=pixels")
    assert "evaluate.* and extractor: no effect" in without
