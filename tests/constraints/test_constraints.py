import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.constraints.base import Constraint
from gan_cli.constraints.gradient_penalty import GradientPenalty
from gan_cli.constraints.weight_clip import WeightClip
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import TINY
from tests.helpers import Noise

DRAWS = ("cpu", 0, 0)


def test_no_constraint_adds_nothing_and_moves_nothing():
    constraint, weight = Constraint(), torch.tensor([5.0])
    constraint.project_([weight])
    assert not constraint.penalises
    assert_close(weight, torch.tensor([5.0]))
    assert_close(constraint.project({"w": weight})["w"], weight)
    assert constraint.curves([weight]) == {}


def test_clip_in_place_and_differentiably():
    weights = [torch.tensor([-1.0, 0.005, 0.3]), torch.tensor([[0.01]])]
    expected = [torch.tensor([-0.01, 0.005, 0.01]), torch.tensor([[0.01]])]
    projected = WeightClip(0.01).project({str(i): w for i, w in enumerate(weights)})
    assert_close(list(projected.values()), expected)
    WeightClip(0.01).project_(weights)
    assert_close(weights, expected)
    assert_close(WeightClip(0.01).curves(weights)["clip_saturation"], torch.tensor(3 / 4))


@pytest.mark.parametrize("defaults", [{"betas": [0.5, 0.999]}, {"momentum": 0.9}])
def test_clip_warns_of_momentum_and_names_the_paper(defaults):
    (warning,) = WeightClip().advice(defaults)
    assert "WGAN paper" in warning
    assert WeightClip().advice({"betas": [0.0, 0.9], "momentum": 0.0}) == []


@pytest.mark.parametrize("shape", [(7, 3), (7, 2, 4, 4)])
def test_penalty_of_a_linear_critic_is_exact(shape):
    # grad of w.x is w everywhere, so the penalty is lambda (|w| - 1)^2 wherever the points fall
    torch.manual_seed(0)
    w = torch.randn(shape[1:], requires_grad=True)
    real, fake = torch.randn(shape), torch.randn(shape)
    penalty = GradientPenalty(10.0).penalty(lambda x: (x * w).flatten(1).sum(1), real, fake, Draws(*DRAWS))
    assert_close(penalty, 10 * (w.norm() - 1).square())
    (gradient,) = torch.autograd.grad(penalty, w)
    assert_close(gradient, 20 * (w.detach().norm() - 1) * w.detach() / w.detach().norm())


def test_penalty_is_taken_between_the_pairs():
    # f = |x|^2 / 2 has gradient x, so the penalty shows where the points lie: one t a pair, uniform between them
    real, fake = torch.full((4, 2), 3.0), torch.zeros(4, 2)
    seen = []

    def f(x):
        seen.append(x.detach())
        return x.square().sum(1) / 2

    GradientPenalty(1.0).penalty(f, real, fake, Draws(*DRAWS))
    (points,) = seen
    t = Draws(*DRAWS).uniform("penalty", 4, 1)
    assert_close(points, 3.0 * t.expand(4, 2))


def test_penalty_does_not_reach_the_generator():
    fake = torch.randn(3, 2, requires_grad=True)
    w = torch.ones(2, requires_grad=True)
    penalty = GradientPenalty().penalty(lambda x: (x * w).sum(1), torch.zeros(3, 2), fake, Draws(*DRAWS))
    assert torch.autograd.grad(penalty, fake, allow_unused=True) == (None,)


@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize("layer", [nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(1, 4)])
def test_clipping_spares_normalisation_layers_where_asked(layer, normalisation):
    clip = WeightClip(0.01, normalisation)
    assert clip.projects(layer) == normalisation
    assert clip.projects(nn.Conv2d(4, 4, 1))


@pytest.mark.parametrize("normalisation", [True, False])
def test_scales_of_batch_norm_stay_near_one_in_training_where_they_are_spared(config_of, normalisation):
    plan = build.check(
        config_of("loss=wgan", "dataset.image_size=16", *TINY, f"constraint.normalisation={str(normalisation).lower()}")
    )
    state = plan.state_for((1, 16, 16), 0)
    Eager(plan.parts.updates, Noise((1, 16, 16), 8), 8, 0, torch.device("cpu"))(state)
    (norm,) = [m for m in state.game.critic.modules() if isinstance(m, nn.BatchNorm2d)]
    others = [p for p in state.game.critic.parameters() if p is not norm.weight and p is not norm.bias]
    assert all(p.abs().max() <= 0.01 for p in others)
    assert (norm.weight.abs().max() <= 0.01) == normalisation
    if not normalisation:
        assert_close(norm.weight, torch.ones(8), rtol=0, atol=0.2)
