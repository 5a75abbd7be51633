"""The energy distance against scipy, closed forms and numbers worked out by hand."""

import pytest
import torch
from scipy.stats import energy_distance
from torch.nn.functional import leaky_relu
from torch.testing import assert_close

from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.constraints.zero_centred import R1
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.energy_distance import EnergyDistance


def featured(x):
    return CriticOutput(torch.zeros(len(x)), x, {}, x)


def test_one_dimension_against_scipy():
    torch.manual_seed(0)
    n, m = 40, 30
    x, y = torch.randn(n), torch.randn(m) * 2 + 1
    # scipy returns the root of the biased estimate, whose means within a batch count a sample's distance to itself
    within = lambda v: (v[:, None] - v).abs().mean()  # noqa: E731
    shift = within(x) / (n - 1) + within(y) / (m - 1)
    expected = energy_distance(x.numpy(), y.numpy()) ** 2 - shift.item()
    assert_close(EnergyDistance().distance(x[:, None], y[:, None]).item(), expected, rtol=1e-5, atol=1e-6)


def test_two_pairs_in_the_plane_by_hand():
    # real (0,0), (0,6); fake (4,3), (4,-3): |x-x'| = 6, |y-y'| = 6, |x-y| = 5, 5, 5, sqrt(97)
    real = torch.tensor([[0.0, 0.0], [0.0, 6.0]])
    fake = torch.tensor([[4.0, 3.0], [4.0, -3.0]], requires_grad=True)
    distance = EnergyDistance().distance(real, fake)
    assert_close(distance, torch.tensor(2 * (15 + 97**0.5) / 4 - 12))
    (gradient,) = torch.autograd.grad(distance, fake)
    # at (4, 3): half the unit vectors from both reals, less the unit vector from the other fake
    assert_close(gradient[0], torch.tensor([(4 / 5 + 4 / 5) / 2, (3 / 5 - 3 / 5) / 2 - 1]))
    outputs = featured(real), featured(fake)
    assert_close(EnergyDistance().critic(*outputs), -distance)
    assert_close(EnergyDistance().generator(outputs[1], outputs[0]), distance)
    assert_close(EnergyDistance().estimates(*outputs), {"energy_distance": distance})


def test_mean_over_batches_is_twice_the_squared_cramer_distance():
    # of U(0, 1) and U(1, 2): 2 x integral of (F - G)^2 = 2 (1/3 + 1/3)
    torch.manual_seed(0)
    batches = [EnergyDistance().distance(torch.rand(8, 1), torch.rand(8, 1) + 1) for _ in range(2000)]
    assert_close(torch.stack(batches).mean().item(), 4 / 3, rtol=0, atol=0.02)


def test_the_penalised_function_by_hand():
    f = lambda x: EnergyDistance().penalised_function(  # noqa: E731
        featured(x), featured(torch.tensor([[0.0], [2.0]])), featured(torch.tensor([[5.0], [7.0]]))
    )
    at = torch.tensor([[1.0], [6.0], [-3.0]], requires_grad=True)
    assert_close(f(at), torch.tensor([5.0 - 1.0, 1.0 - 5.0, 9.0 - 4.0]))
    # between the batches both means have the same derivative and the function falls by 2; outside of both it is level
    assert_close(gradient_norms(f, torch.tensor([[3.5], [-3.0]], requires_grad=True)), torch.tensor([2.0, 0.0]))


@pytest.mark.parametrize("size", [0.0, 1e6])
def test_equal_and_far_points_have_finite_gradients_of_both_orders(size):
    points = torch.full((3, 2), size, requires_grad=True)
    loss = EnergyDistance()
    (gradient,) = torch.autograd.grad(loss.distance(torch.zeros(3, 2), points), points)
    norms = gradient_norms(
        lambda x: loss.penalised_function(featured(x), featured(points), featured(points * 0)), points, True
    )
    (second,) = torch.autograd.grad(norms.sum(), points)
    assert gradient.isfinite().all()
    assert second.isfinite().all()


def test_a_penalty_at_samples_of_the_batch_itself_is_no_noise():
    # Each real sample is compared with itself, where the root's derivative would blow up what rounding leaves.
    torch.manual_seed(0)
    weight, real, fake = torch.randn(20, 256) / 20**0.5, torch.randn(32, 20), torch.randn(32, 20) + 0.3

    def gradient(kernel, dtype):
        w = weight.to(dtype).requires_grad_()
        features = lambda x: leaky_relu(x @ w + 1, 0.2)  # noqa: E731
        on_real, on_fake = features(real.to(dtype)), features(fake.to(dtype))
        function = lambda x: kernel(features(x), on_real).mean(1) - kernel(features(x), on_fake).mean(1)  # noqa: E731
        return torch.autograd.grad(R1(10.0).penalty(function, real.to(dtype), fake.to(dtype), None), w)[0].double()

    def pairwise(x, y):
        squares = (x[:, None] - y).square().sum(-1)
        return -torch.where(squares == 0, 0.0, torch.where(squares == 0, 1.0, squares).sqrt())

    exact = gradient(pairwise, torch.float64)
    assert (gradient(EnergyDistance().kernel, torch.float32) - exact).norm() < 1e-5 * exact.norm()
