"""A small classifier learns, and its augmentation leaves images images."""

from __future__ import annotations

import pytest
import torch

from gan_cli.analysis.classifying import Augmentation, augmented, right, train
from gan_cli.data.source import Batch
from gan_cli.extractors.fashion_mnist import Classifier


def lines(channels: int) -> Batch:
    """Black images with a bright line at the height of their class; they are moved by 2 pixels at most."""
    y = torch.arange(128) % 2
    x = -torch.ones(128, channels, 28, 28)
    x[torch.arange(128), :, 4 + 14 * y] = 1.0
    return Batch(x, y)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_learns(channels):
    torch.manual_seed(0)
    network, data = Classifier(4, channels, 2), lines(channels)

    def draw(k):
        return Batch(*(t[32 * (k % 4) : 32 * (k % 4 + 1)] for t in data[:2]))

    losses = list(train(network, draw, 20, 0, Augmentation(detour=32)))
    assert losses[-1] < losses[0]
    assert not network.training
    assert right(network, data.x, data.y).double().mean() > 0.9
    assert right(network, data.x, 1 - data.y).double().mean() < 0.1


def test_augmented_images_stay_images_and_are_reflected_only_where_asked():
    x = torch.rand(7, 1, 28, 28) * 2 - 1
    rng = torch.Generator().manual_seed(0)
    found = augmented(x, rng, Augmentation(detour=32))
    assert found.shape == x.shape
    assert found.min() >= -1.0001
    assert found.max() <= 1.0001
    left = torch.full((64, 1, 9, 9), -1.0)
    left[..., :4] = 1.0
    shares = [
        (augmented(left, rng, Augmentation(flip=flip))[..., -3:].mean((1, 2, 3)) > -0.5).double().mean()
        for flip in (False, True)
    ]
    assert shares[0] == 0
    assert 0.3 < shares[1] < 0.7


@pytest.mark.parametrize(("halvings", "side"), [(2, 7), (3, 3), (4, 1)])
def test_the_side_is_halved_as_often_as_asked(halvings, side):
    network = Classifier(2, 3, 5, halvings)
    assert network.trunk(torch.zeros(2, 3, 28, 28)).shape == (2, 8, side, side)
    assert network(torch.zeros(2, 3, 28, 28))[1].shape == (2, 5)
