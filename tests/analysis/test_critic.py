"""A critic's estimate in units of distance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_cli.analysis.critic import critic_distance
from gan_cli.analysis.evaluation import Reference, fakes_like
from gan_cli.analysis.reals import open_singly, two_sets
from gan_cli.data.source import Batch
from gan_cli.rng import Draws
from gan_cli.session import build, single_parts
from gan_cli.training.sampling import sample


@pytest.fixture
def game_of(config_of):
    def make(*overrides):
        plan = build.check(config_of("dataset=ring", "model=toy_mlp", "model.width=4", *overrides))
        return plan.state_for((2,), 0).game

    return make


def test_a_linear_critic_of_any_gradient_norm_finds_a_shift(game_of):
    game = game_of("loss=wgan_gp")
    real = Batch(torch.randn(64, 2), None)
    fake = Batch(real.x + torch.tensor([3.0, 4.0]), None)
    weight = torch.tensor([-0.6, -0.8]) * 7
    game.ask = lambda x, y=None, c=None, source=None: _output(x @ weight)
    found = critic_distance(game, real, fake, Draws("cpu", 0, "x"))
    assert found.estimate == pytest.approx(35, rel=1e-5)
    assert found.lipschitz == pytest.approx(7, rel=1e-5)
    assert found.normalised == pytest.approx(5, rel=1e-5)


def _output(score):
    from gan_cli.losses.base import CriticOutput

    return CriticOutput(score, score[:, None], {}, score[:, None])


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


class Perfect(nn.Module):
    """Draws gaussian_mixture_1d's components by their label."""

    def forward(self, zy):
        z, y = zy[:, :1], zy[:, 1:]
        return y @ torch.tensor([[-1.0], [2.0]]) + y @ torch.tensor([[0.2549], [1.4150]]) * z


@pytest.fixture
def classes(config_of):
    """A conditional game on data whose classes are not equally many, its generator perfect, and the reference."""
    overrides = ("loss=wgan_gp", "condition=concat", "dataset=gaussian_mixture_1d", "model=toy_mlp", "latent.size=1")
    plan = build.check(config_of(*overrides, "model.width=8"))
    state = plan.state_for((1,), 2)
    state.game.generator = Perfect()
    data = open_singly(single_parts.dataset(plan.config), plan.device)
    return state, Reference(data, two_sets(data, "train", 4000), None, 1000, 64)


def like_the_reals(state, reference):
    return fakes_like(reference.reals.first, state.game, state.game.generator, Draws("cpu", 0, "sample"), 500)


def test_a_perfect_conditional_generator_reaches_the_floor_whatever_the_classes_shares(classes):
    state, reference = classes
    shares = reference.reals.first.y.bincount() / 4000
    assert (shares[1] - shares[0]).abs() > 0.2
    fake = like_the_reals(state, reference)
    assert torch.equal(fake.y, reference.reals.first.y)
    score = {s.name: s for s in reference.scores(fake.x)}["sliced_w1"]
    assert score.value < 3 * score.floor
    in_turn = torch.cat(list(sample(state.game, state.game.generator, 4000, Draws("cpu", 0, "sample"))))
    assert {s.name: s for s in reference.scores(in_turn)}["sliced_w1"].value > 5 * score.floor


def test_what_a_critic_adds_for_a_class_is_not_in_its_estimate(classes, monkeypatch):
    # Training compares samples of one class, so nothing holds such an offset back.
    state, reference = classes
    fake = like_the_reals(state, reference)
    (before, *_) = reference.critic(state, fake, 0)
    ask, offset = type(state.game).ask, torch.tensor([-3.0, 5.0])

    def moved(self, x, y=None, c=None, source=None):
        output = ask(self, x, y, c, source)
        return output._replace(score=output.score + offset[y])

    monkeypatch.setattr(type(state.game), "ask", moved)
    assert reference.critic(state, fake, 0)[0].value == pytest.approx(before.value, abs=1e-5)
