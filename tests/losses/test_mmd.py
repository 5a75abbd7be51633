"""The unbiased estimator and its witness function against double loops and closed forms."""

import math

import pytest
import torch
from torch.testing import assert_close

from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.errors import UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.discrepancy import squared_distances
from gan_cli.losses.mmd import MMD
from gan_cli.session import build


def featured(x):
    return CriticOutput(torch.zeros(len(x)), x, {}, x)


def rbf(x, y, s):
    return math.exp(-((x - y) ** 2).sum().item() / (2 * s**2))


def rational_quadratic(x, y, s):
    return (1 + ((x - y) ** 2).sum().item() / (2 * s)) ** -s


@pytest.mark.parametrize("k", [rbf, rational_quadratic])
def test_unbiased_estimate_by_double_loops(k):
    torch.manual_seed(0)
    real, fake, scales = torch.randn(5, 3), torch.randn(4, 3) + 1, (0.5, 2.0)
    kernel = lambda x, y: sum(k(x, y, s) for s in scales)  # noqa: E731
    within_real = [kernel(real[i], real[j]) for i in range(5) for j in range(5) if i != j]
    within_fake = [kernel(fake[i], fake[j]) for i in range(4) for j in range(4) if i != j]
    between = [kernel(x, y) for x in real for y in fake]
    expected = sum(within_real) / 20 + sum(within_fake) / 12 - 2 * sum(between) / 20
    loss = MMD(kernel=k.__name__, scales=scales)
    assert_close(loss.distance(real, fake), torch.tensor(expected))
    outputs = featured(real), featured(fake)
    assert_close(loss.critic(*outputs), torch.tensor(-expected))
    assert_close(loss.generator(outputs[1], outputs[0]), torch.tensor(expected))
    assert_close(loss.estimates(*outputs)["mmd"], torch.tensor(expected))


def test_gradient_of_two_pairs_by_hand():
    # In one dimension with s = 1: x = (0, 1), y = (a, b); d/da of k(a, b) - (k(0, a) + k(1, a) + ...) / 2
    a, b = 0.5, 2.0
    fake = torch.tensor([[a], [b]], requires_grad=True)
    loss = MMD(kernel="rbf", scales=(1.0,))
    (gradient,) = torch.autograd.grad(loss.distance(torch.tensor([[0.0], [1.0]]), fake), fake)
    d_k = lambda u, v: -(u - v) * math.exp(-((u - v) ** 2) / 2)  # noqa: E731
    expected = [d_k(a, b) - (d_k(a, 0) + d_k(a, 1)) / 2, d_k(b, a) - (d_k(b, 0) + d_k(b, 1)) / 2]
    assert_close(gradient, torch.tensor(expected)[:, None])


def test_mean_over_batches_is_the_discrepancy_of_two_normal_distributions():
    # MMD^2 of N(0, 1) and N(m, 1) under exp(-d^2 / 2): 2 (1 - exp(-m^2 / 6)) / sqrt(3)
    torch.manual_seed(0)
    m, loss = 1.5, MMD(kernel="rbf", scales=(1.0,))
    batches = [loss.distance(torch.randn(8, 1), torch.randn(8, 1) + m) for _ in range(1500)]
    expected = 2 * (1 - math.exp(-(m**2) / 6)) / math.sqrt(3)
    assert_close(torch.stack(batches).mean().item(), expected, rtol=0, atol=0.02)
    same = [loss.distance(torch.randn(8, 1), torch.randn(8, 1)) for _ in range(1500)]
    assert_close(torch.stack(same).mean().item(), 0.0, rtol=0, atol=0.01)  # unbiased: negative as often


def test_the_penalised_function_by_hand_and_its_gradient():
    loss = MMD(kernel="rbf", scales=(1.0,))
    at = torch.tensor([[0.0], [3.0]], requires_grad=True)
    real, fake = torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0], [4.0]])
    k = lambda u, v: math.exp(-((u - v) ** 2) / 2)  # noqa: E731
    expected = [(k(x, 1) + k(x, -1)) / 2 - (k(x, 2) + k(x, 4)) / 2 for x in (0, 3)]
    f = lambda x: loss.penalised_function(featured(x), featured(real), featured(fake))  # noqa: E731
    assert_close(f(at), torch.tensor(expected))
    d_k = lambda u, v: -(u - v) * k(u, v)  # noqa: E731
    norms = [(d_k(x, 1) + d_k(x, -1)) / 2 - (d_k(x, 2) + d_k(x, 4)) / 2 for x in (0, 3)]
    assert_close(gradient_norms(f, at), torch.tensor(norms).abs())


def test_the_penalty_differentiates_twice_at_a_sample_itself():
    loss = MMD()
    points = torch.randn(4, 3, requires_grad=True)
    norms = gradient_norms(
        lambda x: loss.penalised_function(featured(x), featured(points), featured(points + 1)),
        points,
        create_graph=True,
    )
    (gradient,) = torch.autograd.grad(norms.sum(), points)
    assert gradient.isfinite().all()


def test_auto_scales_are_the_papers():
    assert MMD(kernel="rbf").scales == (1, 2, 4, 8, 16)
    assert MMD(kernel="rational_quadratic").scales == (0.2, 0.5, 1, 2, 5)
    with pytest.raises(ValueError, match="scales=auto"):
        MMD(scales=())


@pytest.mark.parametrize("kernel", ["rbf", "rational_quadratic"])
@pytest.mark.parametrize("size", [0.0, 1e6])
def test_finite_at_extreme_features(kernel, size):
    fake = torch.full((3, 2), size, requires_grad=True)
    distance = MMD(kernel=kernel).distance(torch.zeros(3, 2), fake)
    (gradient,) = torch.autograd.grad(distance, fake)
    assert distance.isfinite()
    assert gradient.isfinite().all()


def test_distances_keep_their_digits_far_from_the_origin():
    x, y = torch.tensor([[1000.0, 1000.0]]), torch.tensor([[1000.0, 1000.03125]])
    assert_close(squared_distances(x, y), torch.tensor([[0.03125**2]]))


def test_on_pixels_the_samples_are_compared_and_no_critic_plays(config_of):
    loss = MMD(space="pixels", scales=(1.0,))
    x, features = torch.randn(4, 1, 3, 3), torch.randn(4, 2)
    real, fake = CriticOutput(None, features, {}, x), CriticOutput(None, features, {}, x + 1)
    assert_close(loss.generator(fake, real), loss.distance(x.flatten(1), x.flatten(1) + 1))
    assert not loss.critic_plays


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        ("constraint=gradient_penalty", "constraint=none"),
        ("condition=concat", "condition=none"),
        ("updates=unrolled", "updates=alternating"),
        ("train.accumulate=2", "train.accumulate=1"),
        ("train.batch_size=1", "train.batch_size=2"),
    ],
)
def test_what_has_no_meaning_on_pixels_is_refused_in_one_line(config_of, override, fix):
    config = config_of("loss=mmd", "loss.space=pixels", "constraint=none", "model.width=4", override)
    with pytest.raises(UserError, match=fix) as refused:
        build.check(config)
    assert "\n" not in str(refused.value)


def test_a_projection_on_a_score_that_nobody_reads_is_refused(config_of):
    with pytest.raises(UserError, match="condition=concat"):
        build.check(config_of("loss=mmd", "condition=projection", "model.width=4"))
