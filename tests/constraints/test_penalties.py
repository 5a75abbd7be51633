"""Penalties against closed forms, for critics whose gradients are known."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.constraints.dragan import Dragan
from gan_cli.constraints.gradient_penalty import GradientPenalty
from gan_cli.constraints.zero_centred import R1, R1R2, R2
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import CONF
from tests.helpers import Noise

CPU = torch.device("cpu")
PENALTIES = [p.stem for p in sorted((CONF / "constraint").glob("*.yaml")) if "every:" in p.read_text()]
PENALTIES = [name for name in PENALTIES if name not in ("bcr", "lecam")]  # they penalise no gradient
POINTS = ("model=toy_mlp", "model.critic.hidden=[8]", "model.generator.hidden=[8]", "dataset=ring", "latent.size=3")


def draws():
    return Draws("cpu", 0, 0)


def quadratic(a):
    """f = x'Ax / 2, whose gradient is Ax."""
    return lambda x: ((x @ a) * x).sum(1) / 2


@pytest.fixture
def batch():
    torch.manual_seed(0)
    a = torch.randn(3, 3)
    return (a + a.T).requires_grad_(), torch.randn(16, 3), torch.randn(16, 3)


def test_r1_r2_and_both_on_a_quadratic_critic(batch):
    a, real, fake = batch
    on_real = 0.7 / 2 * (real @ a).square().sum(1).mean()
    on_fake = 0.7 / 2 * (fake @ a).square().sum(1).mean()
    f = quadratic(a)
    assert_close(R1(0.7).penalty(f, real, fake, draws()), on_real)
    assert_close(R2(0.7).penalty(f, real, fake, draws()), on_fake)
    assert_close(R1R2(0.7).penalty(f, real, fake, draws()), on_real + on_fake)


def test_the_gradient_of_r1_in_the_critics_weights(batch):
    # d/dA of gamma / 2 mean |A x|^2 is gamma A S, S = mean x x'; autograd keeps A's two halves apart, so take both
    a, real, fake = batch
    (got,) = torch.autograd.grad(R1(0.7).penalty(quadratic(a), real, fake, draws()), a)
    by_hand = 0.7 * a.detach() @ (real.T @ real / len(real))
    assert_close(got + got.T, by_hand + by_hand.T)


def test_dragan_on_a_quadratic_critic_and_its_perturbation(batch):
    a, real, fake = batch
    near = real + 0.25 * draws().normal("penalty", 16, 3)
    expected = 3 * ((near @ a).norm(dim=1) - 0.5).square().mean()
    assert_close(Dragan(3.0, 0.5, 0.25).penalty(quadratic(a), real, fake, draws()), expected)
    assert not torch.equal(near, real)


@pytest.mark.parametrize(("norm", "one", "two"), [(0.25, 0.0, 5.625), (1.0, 0.0, 0.0), (3.0, 40.0, 40.0)])
def test_the_one_sided_penalty_leaves_small_gradients_alone(norm, one, two):
    w = torch.tensor([norm, 0.0], requires_grad=True)
    x = torch.randn(5, 2)
    for sided, expected in (("one", one), ("two", two)):
        penalty = GradientPenalty(10.0, sided).penalty(lambda x: x @ w, x, -x, draws())
        assert_close(penalty, torch.tensor(expected))
        (gradient,) = torch.autograd.grad(penalty, w)
        assert_close(gradient, torch.tensor([20 * (norm - 1) * bool(expected), 0.0]))


@pytest.mark.parametrize("penalty", [R1(), R2(), R1R2(), Dragan(), GradientPenalty(), GradientPenalty(sided="one")])
def test_where_a_critic_is_flat_the_penalty_has_no_nan(penalty):
    w = torch.zeros(2, requires_grad=True)
    term = penalty.penalty(lambda x: x @ w, torch.ones(4, 2), torch.zeros(4, 2), draws())
    (first,) = torch.autograd.grad(term, w, create_graph=True)
    assert first.isfinite().all()
    assert torch.autograd.grad(first.sum(), w)[0].isfinite().all()  # unrolling differentiates once more


def game_of(config_of, constraint, *overrides):
    plan = build.check(config_of("loss=wgan", f"constraint={constraint}", *POINTS, *overrides))
    return plan, plan.state_for((2,), 0)


def terms_of(state, penalised=None):
    torch.manual_seed(1)
    game = state.game
    real, fake = (Noise((2,), 16, seed).batch(*Noise((2,), 16, seed).draw(0)) for seed in (1, 2))
    return game.critic_terms(game.ask, real, fake, Draws("cpu", 0, 0), penalised)


def test_there_are_penalties_to_test():
    assert {"gradient_penalty", "gradient_penalty_one_sided", "r1", "r2", "r1_r2", "dragan"} <= set(PENALTIES)


@pytest.mark.parametrize("constraint", PENALTIES)
def test_a_penalty_of_weight_zero_is_the_base_loss(config_of, constraint):
    _, state = game_of(config_of, constraint)
    base = terms_of(state, penalised=False)
    assert base.penalty is None
    with_penalty = terms_of(state)
    assert_close(with_penalty.objective, base.objective + with_penalty.penalty)
    state.game.constraint.every = 3  # in every third update as many times; the curve stays that of the penalty
    lazy = terms_of(state)
    assert_close(lazy.penalty, with_penalty.penalty, rtol=0, atol=0)
    assert_close(lazy.objective, base.objective + 3 * with_penalty.penalty)
    setattr(state.game.constraint, "gamma" if hasattr(state.game.constraint, "gamma") else "weight", 0.0)
    params = state.params["critic"]
    none, zero = terms_of(state, penalised=False).objective, terms_of(state).objective
    assert torch.equal(none, zero)
    for g, h in zip(*(torch.autograd.grad(t, params, allow_unused=True) for t in (none, zero)), strict=True):
        assert (g is None and (h is None or not h.any())) or torch.equal(g, h)


class Doubled(Wasserstein):
    """The function whose smoothness counts is twice the score."""

    def penalised_function(self, at, real, fake):
        return 2 * at.score


@pytest.mark.parametrize("constraint", PENALTIES)
def test_a_penalty_is_about_the_losss_penalised_function(config_of, constraint):
    _, state = game_of(config_of, constraint)
    state.game.loss = Doubled()
    of_function = terms_of(state).penalty
    state.game.loss = Wasserstein()
    before = terms_of(state).penalty
    with torch.no_grad():
        state.game.critic.score.weight *= 2
        state.game.critic.score.bias *= 2
    assert_close(terms_of(state).penalty, of_function)
    assert (of_function - before).abs() > 1e-3


class Linear(nn.Module):
    """A trunk without layers: the critic is linear, and its penalty the same wherever the points are."""

    n_features = 2

    def forward(self, x):
        return x


@pytest.mark.parametrize("constraint", PENALTIES)
def test_a_lazy_penalty_has_the_same_average(config_of, constraint):
    def logs(every):
        plan, state = game_of(
            config_of, constraint, f"constraint.every={every}", "updates=alternating", "updates.n_critic=4",
            "optimizer=sgd", "optimizer.critic.lr=1e-30", "optimizer.generator.lr=1e-30",
        )  # fmt: skip
        state.game.critic.trunk = Linear()
        state.game.critic.score.weight = nn.Parameter(torch.tensor([[3.0, 1.0]]))
        state.params["critic"] = list(state.game.players()["critic"].values())
        state.optimizers["critic"] = torch.optim.SGD(state.params["critic"], 1e-30)
        run = Eager(plan.parts.updates, Noise((2,), 8), 8, 0, CPU)
        found = []
        for _ in range(2):
            found += [log for log in run(state) if "critic/loss" in log]
            state.step += 1
        return found

    each, lazy = logs(1), logs(4)
    assert ["critic/penalty" in log for log in lazy] == [True, False, False, False] * 2
    mean = lambda found, tag: torch.stack([log[tag] for log in found if tag in log]).mean()  # noqa: E731
    assert_close(mean(lazy, "critic/penalty"), mean(each, "critic/penalty"))  # as the rows of a run average
    assert_close(mean(lazy, "critic/loss"), mean(each, "critic/loss"))
    assert mean(each, "critic/penalty") > 1e-3


@pytest.mark.parametrize("constraint", PENALTIES)
def test_a_critic_with_batch_norm_is_refused(config_of, constraint):
    with pytest.raises(build.UserError, match=r"model\.critic\.norm=none") as refused:
        build.check(config_of(f"constraint={constraint}", "model=dcgan", "model.critic.norm=batch"))
    assert "\n" not in str(refused.value)
