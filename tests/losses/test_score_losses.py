"""Least squares, hinge, relativistic and smoothed cross-entropies against numbers worked out by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from gan_cli.losses.base import CriticOutput
from gan_cli.losses.feature_matching import FeatureMatching
from gan_cli.losses.fgan import FGAN
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.least_squares import LeastSquares
from gan_cli.losses.minimax import Minimax, NonSaturating
from gan_cli.losses.relativistic import Relativistic, RelativisticAverage
from tests.helpers import output

# Two points: p = (0.8, 0.2), q = (0.3, 0.7), ten samples of each, so that means are expectations.
P, Q = torch.tensor([0.8, 0.2]), torch.tensor([0.3, 0.7])


def outputs(score):
    return tuple(output(*score.repeat_interleave((w * 10).round().long()).tolist()) for w in (P, Q))


def test_least_squares_by_hand():
    real, fake = output(0.0, 3.0), output(1.0, -1.0)
    loss = LeastSquares(a=-1.0, b=1.0, c=0.0)
    # ((1 + 4) / 2 + (4 + 0) / 2) / 2 = 2.25; E fake^2 / 2 = 0.5; d/dfake = fake / 2
    assert_close(loss.critic(real, fake), torch.tensor(2.25))
    assert_close(loss.generator(fake, None), torch.tensor(0.5))
    (gradient,) = torch.autograd.grad(loss.generator(fake, None), fake.score)
    assert_close(gradient, torch.tensor([0.5, -0.5]))
    gradients = torch.autograd.grad(loss.critic(real, fake), [real.score, fake.score])
    assert_close(gradients, (torch.tensor([-0.5, 1.0]), torch.tensor([1.0, 0.0])))
    assert_close(LeastSquares().critic(real, fake), torch.tensor(((1 + 4) / 2 + 1) / 2))
    assert_close(LeastSquares().generator(fake, None), torch.tensor(1.0))


@pytest.mark.parametrize("labels", [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (3.0, -2.0, 0.5)])
def test_the_best_least_squares_critic_meets_le_cams_divergence(labels):
    a, b, _ = labels
    best = (b * P + a * Q) / (P + Q)
    le_cam = ((P - Q) ** 2 / (P + Q)).sum() / 2
    assert_close(LeastSquares(*labels).estimates(*outputs(best))["le_cam_estimate"], le_cam)
    assert LeastSquares(*labels).estimates(*outputs(best + 0.1))["le_cam_estimate"] < le_cam


def test_with_the_pearson_labels_the_generator_minimises_pearsons_divergence():
    # Equation 8: twice the generator's objective at the best critic, with its constant term on real samples, is the
    # Pearson divergence of p + q from 2 q: the integral of (2 q - (p + q))^2 / (p + q)
    best = (P - Q) / (P + Q)
    real, fake = outputs(best)
    loss = LeastSquares(a=-1.0, b=1.0, c=0.0)
    twice = 2 * loss.generator(fake, None) + real.score.square().mean()
    assert_close(twice, ((2 * Q - (P + Q)) ** 2 / (P + Q)).sum())


def test_equal_labels_are_refused():
    with pytest.raises(ValueError, match=r"must differ; use loss\.a=0 loss\.b=1"):
        LeastSquares(a=1.0, b=1.0)


def test_hinge_by_hand():
    real, fake = output(0.5, 2.0), output(-3.0, 0.25)
    # real: (0.5 + 0) / 2; fake: (0 + 1.25) / 2
    assert_close(Hinge().critic(real, fake), torch.tensor(0.875))
    assert_close(Hinge().generator(fake, None), torch.tensor(1.375))
    gradients = torch.autograd.grad(Hinge().critic(real, fake), [real.score, fake.score])
    assert_close(gradients, (torch.tensor([-0.5, 0.0]), torch.tensor([0.0, 0.5])))
    (gradient,) = torch.autograd.grad(Hinge().generator(fake, None), fake.score)
    assert_close(gradient, torch.tensor([-0.5, -0.5]))


def test_the_best_hinge_critic_meets_the_total_variation():
    estimate = Hinge().estimates(*outputs((P - Q).sign()))["total_variation_estimate"]
    assert_close(estimate, (P - Q).abs().sum() / 2)
    assert_close(Hinge().estimates(output(1.0), output(-1.0))["total_variation_estimate"], torch.tensor(1.0))


def test_pairs_by_hand():
    real, fake = output(math.log(3), 0.0), output(0.0, math.log(7))
    # log(1 + 1/3) and log(1 + 7) for the critic; log(1 + 3) and log(1 + 1/7) for the generator
    assert_close(Relativistic().critic(real, fake), torch.tensor((math.log(4 / 3) + math.log(8)) / 2))
    assert_close(Relativistic().generator(fake, real), torch.tensor((math.log(4) + math.log(8 / 7)) / 2))
    gradients = torch.autograd.grad(Relativistic().critic(real, fake), [real.score, fake.score])
    assert_close(gradients, (torch.tensor([-1 / 8, -7 / 16]), torch.tensor([1 / 8, 7 / 16])))
    (gradient,) = torch.autograd.grad(Relativistic().generator(fake, real), fake.score)
    assert_close(gradient, torch.tensor([-3 / 8, -1 / 16]))


def test_the_best_pairing_critic_meets_the_divergence_of_the_pairs():
    score = (P / Q).log()
    real, fake = (output(*s.tolist()) for s in (score.repeat_interleave(2), score.repeat(2)))  # all four pairs
    weights = torch.outer(P, Q).flatten()
    exchanged = torch.outer(Q, P).flatten()
    middle = (weights + exchanged) / 2
    js = ((weights * (weights / middle).log()).sum() + (exchanged * (exchanged / middle).log()).sum()) / 2
    # each pair's own term, weighted with its chance
    terms = [
        Relativistic().critic(output(r.item()), output(f.item())) for r, f in zip(real.score, fake.score, strict=True)
    ]
    assert_close(math.log(2) - (weights * torch.stack(terms)).sum(), js)


def test_pairs_of_a_short_held_out_batch():
    real, fake = output(1.0, 2.0, 3.0), output(0.0, 1.0)
    assert_close(
        Relativistic().estimates(real, fake)["relativistic_estimate"],
        torch.tensor(math.log(2) - math.log1p(math.exp(-1))),
    )


def test_the_average_by_hand():
    real, fake = output(1.0, 3.0), output(0.0, -2.0)
    # means 2 and -1: real less -1 is (2, 4), fake less 2 is (-2, -4)
    softplus = lambda x: math.log1p(math.exp(x))  # noqa: E731
    expected = (softplus(-2) + softplus(-4)) / 2 * 2
    assert_close(RelativisticAverage().critic(real, fake), torch.tensor(expected))
    assert_close(RelativisticAverage().generator(fake, real), torch.tensor((softplus(2) + softplus(4)) / 2 * 2))
    assert_close(
        RelativisticAverage().estimates(real, fake)["relativistic_estimate"], torch.tensor(math.log(2) - expected / 2)
    )
    # by the chain rule through the mean: sigmoid(2) + ... each fake moves its own term and both real ones
    (gradient,) = torch.autograd.grad(RelativisticAverage().generator(fake, real), fake.score)
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    through_mean = -(sigmoid(2) + sigmoid(4)) / 2 / 2
    assert_close(gradient, torch.tensor([-sigmoid(2) / 2 + through_mean, -sigmoid(4) / 2 + through_mean]))


@pytest.mark.parametrize("loss", [Relativistic(), RelativisticAverage()])
def test_relativistic_losses_see_differences_alone(loss):
    real, fake = output(0.3, -1.0, 2.0), output(0.1, 0.6, -0.7)
    moved = output(5.3, 4.0, 7.0), output(5.1, 5.6, 4.3)
    assert_close(loss.critic(real, fake), loss.critic(*moved))
    assert_close(loss.generator(fake, real), loss.generator(moved[1], moved[0]))
    assert loss.generator_reads_real
    same = output(0.0, 0.0)
    assert_close(loss.estimates(same, same)["relativistic_estimate"], torch.tensor(0.0))


@pytest.mark.parametrize("kind", [Minimax, NonSaturating])
def test_one_sided_smoothing_by_hand(kind):
    real, fake = output(0.3, -1.2), output(0.7, 2.0)
    d_real, d_fake = real.score.sigmoid(), fake.score.sigmoid()
    expected = -(0.9 * d_real.log() + 0.1 * (1 - d_real).log()).mean() - (1 - d_fake).log().mean()
    smoothed, hard = kind(0.9), kind()
    assert_close(smoothed.critic(real, fake), expected)
    assert_close(smoothed.generator(fake, None), hard.generator(fake, None), rtol=0, atol=0)
    assert_close(smoothed.estimates(real, fake), hard.estimates(real, fake), rtol=0, atol=0)
    assert_close(kind(1.0).critic(real, fake), hard.critic(real, fake), rtol=0, atol=0)


def test_the_smoothed_optimum_is_real_label_p_over_p_plus_q():
    d = 0.9 * P / (P + Q)  # (1 - d is for fakes and for the rest of real)
    real, fake = outputs((d / (1 - d)).log())
    gradients = torch.autograd.grad(Minimax(0.9).critic(real, fake), [real.score, fake.score])
    # at the optimum the pulls of real and fake cancel at each point
    first = gradients[0][:8].sum() + gradients[1][:3].sum()
    second = gradients[0][8:].sum() + gradients[1][3:].sum()
    assert_close(torch.stack([first, second]), torch.zeros(2), atol=1e-6, rtol=0)


ALL = [LeastSquares(), Hinge(), Relativistic(), RelativisticAverage(), Minimax(0.9), NonSaturating(0.9)]


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("scores", [(-1e4, 1e4), (1e4, -1e4), (1e4, 1e4), (-1e4, -1e4)])
def test_finite_at_extreme_scores(loss, scores):
    real, fake = (output(score, score / 2) for score in scores)
    values = [loss.critic(real, fake), loss.generator(fake, real), *loss.estimates(real, fake).values()]
    assert all(value.isfinite() for value in values)
    gradients = torch.autograd.grad(values[0], [real.score, fake.score])
    gradients += torch.autograd.grad(values[1], fake.score)
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("loss", [*ALL, FGAN("kl")], ids=lambda loss: type(loss).__name__)
def test_not_a_number_stays_one(loss):
    # the run's stop reads the losses: none may turn a NaN score into a number
    broken, sound = output(math.nan, 1.0), output(0.0, 1.0)
    assert loss.critic(broken, sound).isnan()
    assert loss.critic(sound, broken).isnan()
    assert loss.generator(broken, sound).isnan()


def test_feature_matching_compares_mean_features():

    real, fake = torch.randn(7, 3), torch.randn(5, 3)
    outputs = [CriticOutput(f[:, 0], f, {}, f) for f in (real, fake)]
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum()
    assert_close(FeatureMatching().generator(outputs[1], outputs[0]), expected)
