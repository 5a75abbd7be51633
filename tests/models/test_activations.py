"""Activations of straight lines have torch's values and gradients, without the zeros."""

import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.testing import assert_close

from gan_cli.models.activations import LeakyReLU, ReLU

X = torch.tensor([-2.0, -0.5, -0.0, 0.0, 0.5, 2.0, float("inf"), float("-inf"), float("nan")])


@pytest.mark.parametrize("times", [None, 1, 2])
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("mine", "plain"), [(ReLU, nn.ReLU), (LeakyReLU, nn.LeakyReLU)])
def test_values_and_gradients(mine, plain, inplace, times):
    layers = (mine(inplace=inplace), plain(inplace=inplace))
    layers[0].times = times
    results = []
    for layer in layers:
        x = X.clone().requires_grad_()
        y = layer(x * 1)
        results.append((y, *grad((3 * y[:6]).sum(), x)))
    assert_close(results[0], results[1], rtol=0, atol=0, equal_nan=True)


def slope_gradients(activation, times):
    """The gradients of a penalty on a network's norms, and how often a pass runs back through its first layer."""
    torch.manual_seed(0)
    first, last = nn.Linear(3, 8), nn.Linear(8, 1)
    if times:
        activation.times = times
    passes = []
    x = torch.randn(5, 3, requires_grad=True)
    hidden = first(x)
    hidden.register_hook(passes.append)
    (gradient,) = grad(last(activation(hidden)).sum(), x, create_graph=True)
    found = grad((gradient.norm(dim=1) - 1).square().sum(), [first.weight, last.weight, first.bias], allow_unused=True)
    return found, len(passes)


@pytest.mark.parametrize(("mine", "plain"), [(ReLU, nn.ReLU), (LeakyReLU, nn.LeakyReLU)])
def test_no_zeros_run_back_under_a_penalty(mine, plain):
    (weight, head, bias), passes = slope_gradients(mine(), 2)
    (expected, expected_head, zeros), more_passes = slope_gradients(plain(), None)
    assert_close((weight, head), (expected, expected_head), rtol=0, atol=0)
    assert weight.abs().max() > 0.01
    assert bias is None
    assert not zeros.any()
    assert (passes, more_passes) == (1, 2)
