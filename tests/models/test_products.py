"""The products are torch's convolutions and their gradients, at any kernel, stride and padding."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d
from torch.testing import assert_close

from gan_cli.models.products import to_few_channels, to_larger, to_smaller, weight_gradient

SHAPES = [  # kernel, stride, padding, size of the smaller map, what the larger one has at its end beyond the last patch
    ((4, 4), (2, 2), (1, 1), (4, 4), 0),
    ((4, 4), (2, 2), (1, 1), (5, 6), 1),
    ((3, 2), (2, 2), (1, 0), (3, 5), 0),
    ((3, 3), (1, 1), (1, 1), (4, 4), 0),
    ((3, 3), (2, 2), (1, 1), (4, 3), 1),
    ((5, 5), (2, 2), (2, 2), (4, 3), 1),
    ((3, 3), (3, 2), (1, 1), (3, 3), 0),
    ((6, 4), (3, 3), (0, 2), (7, 6), 2),
]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "size", "beyond"), SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_pass(kernel, stride, padding, size, beyond, biased, channels):
    torch.manual_seed(0)
    small = torch.randn(2, 5, *size, dtype=torch.float64)
    weight = torch.randn(5, channels, *kernel, dtype=torch.float64, requires_grad=True)
    of_small, of_large = (torch.randn(n, dtype=torch.float64) if biased else None for n in (5, channels))
    larger = conv_transpose2d(small, weight, of_large, stride=stride, padding=padding, output_padding=beyond)
    found = to_larger(small, weight.detach(), of_large, larger.shape[2:], stride, padding)
    assert_close(found, larger.detach())
    assert not found._is_view()  # an activation after it works in place
    found = to_few_channels(small, weight.detach(), of_large, larger.shape[2:], stride, padding)
    assert_close(found, larger.detach(), rtol=0, atol=1e-4)  # in float32
    large = torch.randn_like(larger)
    smaller = conv2d(large, weight, of_small, stride=stride, padding=padding)
    assert_close(to_smaller(large, weight.detach(), of_small, stride, padding), smaller.detach())
    (expected,) = torch.autograd.grad(smaller, weight, small)
    assert_close(weight_gradient(small, large, kernel, stride, padding), expected)
