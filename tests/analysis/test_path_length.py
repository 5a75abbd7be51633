"""Perceptual path length against a generator whose answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_cli.analysis.path_length import path_length, trimmed_mean
from gan_cli.errors import UserError
from gan_cli.extractors.inception import Inception
from gan_cli.extractors.pixels import Pixels
from gan_cli.rng import Draws
from gan_cli.session import build

CPU = torch.device("cpu")


class Scaled(nn.Module):
    """z (N, 16) -> images (N, 1, 4, 4): 3 z."""

    def forward(self, z):
        return 3 * z.unflatten(1, (1, 4, 4))


def game_of(config_of, *words):
    return (
        build.check(config_of("model=mlp", "model.width=4", "latent.size=16", *words)).state_for((1, 28, 28), 10).game
    )


def test_on_straight_lines_it_is_the_squared_length_of_the_line(config_of):
    game = game_of(config_of, "latent=uniform")
    found = path_length(game, Scaled(), Pixels(4), 200, Draws(CPU, 0, "path"), 64)
    draws = Draws(CPU, 0, "path")
    a, b = game.latent.sample(400, draws).double().split(200)
    assert found == pytest.approx(trimmed_mean(9 * (a - b).square().sum(1)), rel=2e-3)  # float32 and e = 1e-4


def test_on_circles_it_is_that_of_the_arc_and_the_change_of_the_norm(config_of):
    game = game_of(config_of, "latent=normal")
    found = path_length(game, Scaled(), Pixels(4), 200, Draws(CPU, 0, "path"), 200)
    draws = Draws(CPU, 0, "path")
    a, b = game.latent.sample(400, draws).double().split(200)
    t = draws.uniform("t", 200, 1).double()
    norms = [x.norm(dim=1, keepdim=True) for x in (a, b)]
    angle = ((a * b).sum(1, keepdim=True) / (norms[0] * norms[1])).acos()
    norm = norms[0] + t * (norms[1] - norms[0])
    squared = (norm * angle).square() + (norms[1] - norms[0]).square()  # along the circle, and across
    assert found == pytest.approx(trimmed_mean(9 * squared.squeeze(1)), rel=2e-3)


def test_outliers_are_left_out():
    values = torch.arange(1.0, 101.0, dtype=torch.float64)
    values[99] = 1e9
    assert trimmed_mean(values) == pytest.approx(50.5)


def test_classes_and_codes_stay(config_of):
    conditional = game_of(config_of, "condition=concat")
    assert path_length(conditional, conditional.generator, Pixels(4), 20, Draws(CPU, 0, "path"), 8) > 0
    with_codes = game_of(config_of, "loss=infogan")

    class Codes(nn.Module):
        def forward(self, z):
            return z[:, 16:].unsqueeze(1).unsqueeze(1)

    assert path_length(with_codes, Codes(), Pixels(4), 20, Draws(CPU, 0, "path"), 8) == 0


def test_an_extractor_that_rounds(config_of):
    game = game_of(config_of)
    with pytest.raises(UserError, match="reads values of 8 bits"):
        path_length(game, game.generator, Inception(), 5, Draws(CPU, 0, "path"), 5)
