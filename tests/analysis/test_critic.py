"""A critic's estimate in units of distance."""

from __future__ import annotations

import pytest
import torch

from gan_cli import build
from gan_cli.analysis.critic import critic_distance
from gan_cli.data.source import Batch
from gan_cli.rng import Draws


@pytest.fixture
def game_of(settings_of):
    def make(*overrides):
        plan = build.check(settings_of("dataset=ring", "model=toy_mlp", "model.width=4", *overrides))
        return build.state(plan.settings, (2,), plan.device).game

    return make


def test_a_linear_critic_of_any_slope_finds_a_shift(game_of):
    game = game_of("loss=wgan_gp")
    real = Batch(torch.randn(64, 2), None)
    fake = Batch(real.x + torch.tensor([3.0, 4.0]), None)
    slope = torch.tensor([-0.6, -0.8]) * 7
    game.ask = lambda x, y=None, c=None: _answer(x @ slope)
    found = critic_distance(game, real, fake, Draws("cpu", 0, "x"))
    assert found.estimate == pytest.approx(35, rel=1e-5)
    assert found.lipschitz == pytest.approx(7, rel=1e-5)
    assert found.normalised == pytest.approx(5, rel=1e-5)


def _answer(score):
    from gan_cli.losses.base import Answer

    return Answer(score, score[:, None], {}, score[:, None])


def test_nothing_of_the_game_moves(game_of):
    game = game_of("loss=wgan")
    game.train()
    before = {name: t.clone() for name, t in game.state_dict().items()}
    x = torch.randn(16, 2)
    assert critic_distance(game, Batch(x, None), Batch(x + 1, None), Draws("cpu", 0, "x")) is not None
    for name, t in game.state_dict().items():
        torch.testing.assert_close(t, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("loss", ["nonsaturating", "mmd"])
def test_what_estimates_no_distance(game_of, loss):
    game = game_of(f"loss={loss}")
    x = torch.randn(16, 2)
    assert critic_distance(game, Batch(x, None), Batch(x, None), Draws("cpu", 0, "x")) is None
