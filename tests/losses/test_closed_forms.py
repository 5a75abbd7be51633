"""Values and gradients against closed forms worked out by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from gan_cli.losses.minimax import Minimax, NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from tests.helpers import output


def test_wasserstein_by_hand():
    real, fake = output(1.0, 3.0), output(-2.0, 1.0)
    loss = Wasserstein()
    # E f(fake) - E f(real) = -0.5 - 2; the estimate is its negative; the generator minimises 0.5
    assert_close(loss.critic(real, fake), torch.tensor(-2.5))
    assert_close(loss.estimates(real, fake)["wasserstein_estimate"], torch.tensor(2.5))
    assert_close(loss.generator(fake, None), torch.tensor(0.5))
    (gradient,) = torch.autograd.grad(loss.generator(fake, None), fake.score)
    assert_close(gradient, torch.tensor([-0.5, -0.5]))


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_cross_entropies_at_zero_score(loss):
    # D = 1/2 everywhere: L_D = 2 log 2, and the Jensen-Shannon estimate is 0
    real, fake = output(0.0, 0.0), output(0.0)
    assert_close(loss.critic(real, fake), torch.tensor(2 * math.log(2)))
    assert_close(loss.estimates(real, fake)["js_estimate"], torch.tensor(0.0))


def test_critic_against_log_sigmoid():
    real, fake = output(0.3, -1.2), output(0.7, 2.0)
    d_real, d_fake = real.score.sigmoid(), fake.score.sigmoid()
    expected = -d_real.log().mean() - (1 - d_fake).log().mean()
    assert_close(Minimax().critic(real, fake), expected)
    assert_close(Minimax().generator(fake, None), (1 - d_fake).log().mean())
    assert_close(NonSaturating().generator(fake, None), -d_fake.log().mean())


def test_js_estimate_saturates_at_log_2():
    estimate = Minimax().estimates(output(200.0), output(-200.0))["js_estimate"]
    assert_close(estimate, torch.tensor(math.log(2)))


def test_js_estimate_of_the_optimal_critic_is_the_divergence():
    # On two points, p = (0.8, 0.2) and q = (0.3, 0.7); the best score is log p/q, and the estimate is JS(p, q)
    p, q = torch.tensor([0.8, 0.2]), torch.tensor([0.3, 0.7])
    score = (p / q).log()
    counts = {"real": (p * 10).round().long(), "fake": (q * 10).round().long()}
    real, fake = (output(*score.repeat_interleave(n).tolist()) for n in counts.values())
    m = (p + q) / 2
    js = 0.5 * (p * (p / m).log()).sum() + 0.5 * (q * (q / m).log()).sum()
    assert_close(Minimax().estimates(real, fake)["js_estimate"], js)


@pytest.mark.parametrize("loss", [Wasserstein(), Minimax(), NonSaturating()])
@pytest.mark.parametrize("score", [-1e4, 1e4])
def test_finite_at_extreme_scores(loss, score):
    fake = output(score)
    values = [loss.critic(output(score), fake), loss.critic(output(-score), fake), loss.generator(fake, None)]
    assert all(value.isfinite() for value in values)
    (gradient,) = torch.autograd.grad(values[-1], fake.score)
    assert gradient.isfinite().all()


def test_minimax_generator_gradient_vanishes_where_the_non_saturating_one_does_not():
    fake = output(-20.0)  # the critic is sure that it is a fake
    (saturated,) = torch.autograd.grad(Minimax().generator(fake, None), fake.score)
    (alive,) = torch.autograd.grad(NonSaturating().generator(fake, None), fake.score)
    assert_close(saturated, torch.tensor([-math.exp(-20)]))
    assert_close(alive, torch.tensor([-1.0]))
