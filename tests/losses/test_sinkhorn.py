"""The Sinkhorn divergence against a plain solver, closed forms and finite differences."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.loader import to_float
from gan_cli.errors import UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.sinkhorn import Sinkhorn
from gan_cli.session import build


def featured(x):
    return CriticOutput(torch.zeros(len(x)), x, {}, x)


def transport(x, y, blur, iterations=3000):
    """The entropic cost by Sinkhorn's iterations at one temperature, in double precision."""
    x, y, t = x.double(), y.double(), blur**2
    cost = torch.cdist(x, y).square() / 2
    f, g = torch.zeros(len(x)).double(), torch.zeros(len(y)).double()
    for _ in range(iterations):
        f = -t * (((g - cost) / t).logsumexp(dim=1) - math.log(len(y)))
        g = -t * (((f[:, None] - cost) / t).logsumexp(dim=0) - math.log(len(x)))
    return f.mean() + g.mean()


def test_against_plain_iterations():
    torch.manual_seed(0)
    x, y, blur = torch.randn(7, 2), torch.randn(5, 2) + 1, 0.5
    expected = transport(x, y, blur) - transport(x, x, blur) / 2 - transport(y, y, blur) / 2
    loss = Sinkhorn(blur=blur, diameter=8.0, scaling=0.98)
    assert_close(loss.distance(x, y).double(), expected, rtol=1e-2, atol=1e-3)
    outputs = featured(x), featured(y)
    assert_close(loss.critic(*outputs), -loss.distance(x, y))
    assert_close(loss.generator(outputs[1], outputs[0]), loss.distance(x, y))
    assert_close(loss.estimates(*outputs)["sinkhorn_divergence"], loss.distance(x, y))


def test_of_a_shifted_copy_it_is_half_the_squared_shift_at_any_blur():
    torch.manual_seed(0)
    x, shift = torch.randn(20, 3), torch.tensor([3.0, 0.0, 4.0])
    moved = (x + shift).requires_grad_()
    for blur in (0.1, 1.0, 5.0):
        distance = Sinkhorn(blur=blur, diameter=20.0, scaling=0.9).distance(x, moved)
        assert_close(distance, torch.tensor(12.5), rtol=1e-3, atol=0)
        (gradient,) = torch.autograd.grad(distance, moved)
        assert_close(gradient.sum(dim=0), shift, rtol=1e-2, atol=1e-2)  # each point carries 1/20


def test_the_penalised_function_is_the_first_variation():
    # Moving one of five real points changes the divergence by a fifth of the penalised function's gradient there
    torch.manual_seed(0)
    x, y = torch.randn(5, 2), torch.randn(6, 2) + 1
    loss = Sinkhorn(blur=0.7, diameter=8.0, scaling=0.98)
    at = x.clone().requires_grad_()
    values = loss.penalised_function(featured(at), featured(x), featured(y))
    (found,) = torch.autograd.grad(values.sum(), at)
    moved = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss.distance(moved, y), moved)
    assert_close(found / 5, gradient, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_grad_mode_is_left_as_it_was(enabled):
    x = torch.randn(4, 2, requires_grad=True)
    with torch.set_grad_enabled(enabled):
        distance = Sinkhorn().distance(x, x.detach() + 1)
        Sinkhorn().penalised_function(featured(x), featured(x), featured(x + 1))
        assert torch.is_grad_enabled() == enabled
    assert distance.requires_grad == enabled


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_finite_at_equal_and_far_points(size):
    fake = torch.full((3, 2), size, requires_grad=True)
    distance = Sinkhorn().distance(torch.zeros(3, 2), fake)
    (gradient,) = torch.autograd.grad(distance, fake)
    assert_close(distance, torch.tensor(size**2), rtol=1e-4, atol=1e-4)
    assert gradient.isfinite().all()


def test_the_gradient_of_the_default_settings_is_near_the_exact_one():
    images = FashionMNIST10k(28).collect()
    (chunk,) = images.chunks(np.arange(128))
    x = to_float(torch.from_numpy(chunk.images)).flatten(1)
    real, fake = x[:64], (x[64:] + 0.3 * torch.randn(64, 784, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)

    def gradient(loss):
        at = fake.clone().requires_grad_()
        return torch.autograd.grad(loss.distance(real, at), at)[0].double()

    exact = gradient(Sinkhorn(scaling=0.9, iterations=2000))
    assert (gradient(Sinkhorn(scaling=0.9, iterations=1000)) - exact).norm() < 1e-3 * exact.norm()
    assert (gradient(Sinkhorn()) - exact).norm() < 0.02 * exact.norm()


def test_looking_ahead_is_refused(config_of):
    # The gradient leaves out how the potentials move, so the derivative of its gradient is another one
    with pytest.raises(UserError, match="no exact derivative") as refused:
        build.check(config_of("loss=sinkhorn", "updates=unrolled", "dataset=ring", "model=toy_mlp"))
    assert "\n" not in str(refused.value)
    build.check(config_of("loss=sinkhorn", "updates=unrolled", "updates.k=0", "dataset=ring", "model=toy_mlp"))


def test_a_blur_above_the_diameter_is_refused():
    with pytest.raises(ValueError, match="above blur"):
        Sinkhorn(blur=2.0, diameter=1.0)
