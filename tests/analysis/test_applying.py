"""A generator on pictures of any size: mirrored borders, and tiles that give what the whole picture gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.analysis.applying import bytes_per_pixel, mirrored, multiple_of, rounded_up, tiled, tiles, whole
from gan_cli.session import build

NOTHING = torch.zeros(1, 0)


def game_of(config_of, *overrides):
    config = config_of("task=restore", "model.width=4", "dataset.image_size=16", *overrides)
    state = build.check(config, (1, 16, 16), 0).state_for((1, 16, 16), 0)
    return state.game


@pytest.fixture
def source():
    """A source (1, 1, 40, 56) in [-1, 1]."""
    return torch.rand(1, 1, 40, 56, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("shape", "sides"), [((5, 7), (8, 8)), ((3, 4), (16, 11)), ((1, 2), (4, 4)), ((9, 9), (8, 12))]
)
def test_a_picture_is_continued_by_its_reflection(shape, sides):
    x = torch.rand(1, 2, *shape)
    more = [(0, max(0, wanted - side)) for side, wanted in zip(shape, sides, strict=True)]
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), *more], mode="reflect")
    np.testing.assert_array_equal(mirrored(x, sides), expected)


def test_sides_are_rounded_up():
    assert rounded_up((17, 32), 16) == [32, 32]
    assert rounded_up((3, 20), 4, (8, 8)) == [8, 20]


@pytest.mark.parametrize("side", [16, 24, 33, 40])
def test_tiles_of_a_network_that_reads_a_pixels_neighbours_give_the_whole(config_of, source, side):
    game = game_of(config_of, "degradation=blur", "degradation.std=1")
    network = nn.Conv2d(1, 1, 3, padding=1)
    expected = whole(game, network, NOTHING, None, source)
    assert tiles(source.shape[2:], side, 1) > 1
    torch.testing.assert_close(tiled(game, network, NOTHING, None, source, side), expected)


def test_tiles_give_the_whole_away_from_their_borders_and_nearly_so_beside_them(config_of, source):
    game, source = game_of(config_of, "model.generator.blocks=1"), source[:, :, :36]
    expected = whole(game, game.generator, NOTHING, None, source)
    found = tiled(game, game.generator, NOTHING, None, source, 36)
    assert found.shape == expected.shape == (1, 1, 144, 224)
    difference = (found - expected).abs()[0, 0].amax(dim=0).view(56, 4).amax(dim=1)  # by columns of the source
    # The tiles are columns 0 to 35 and 20 to 55; each is taken alone outside of the other.
    assert float(difference[[*range(20), *range(36, 56)]].max()) < 1e-6
    assert 1e-6 < float(difference[20:36].max()) < 0.25 * float(expected.std())


def test_a_unet_takes_larger_pictures_whole_and_in_tiles(config_of):
    game = game_of(config_of, "degradation=mask", "model=unet", "model.critic.halvings=1")
    assert multiple_of(game.generator) == 16
    source = torch.rand(1, 2, 96, 64)
    made = whole(game, game.generator, NOTHING, None, source)
    assert made.shape == (1, 1, 96, 64)
    assert torch.equal(made, torch.where(source[:, 1:] > 0, made, source[:, :1]))
    again = tiled(game, game.generator, NOTHING, None, source, 64)
    assert again.shape == made.shape
    torch.testing.assert_close(again[:, :, :16], made[:, :, :16], atol=0.2, rtol=0)


def test_the_memory_of_a_pixel_grows_with_the_width(config_of):
    small = torch.zeros(1, 1, 4, 4)
    narrow, wide = (game_of(config_of, "model.generator.blocks=1", f"model.width={w}") for w in (4, 32))
    found = [bytes_per_pixel(game, game.generator, NOTHING, None, small) for game in (narrow, wide)]
    # The largest layer reads and writes 2 x 16 width values a pixel, at four times the size in each direction.
    assert found == [4 * 2 * 2 * 16 * width for width in (4, 32)]
