"""The convolutions with a gradient of their own have torch's values and gradients, of first and second order."""

import pytest
import torch
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.testing import assert_close

from gan_cli.models import convolution

LAYERS = [
    (convolution.Conv2d, nn.Conv2d, (8, 8), {"kernel_size": 4, "stride": 2, "padding": 1}),
    (convolution.Conv2d, nn.Conv2d, (4, 4), {"kernel_size": 3, "stride": 1, "padding": 1}),
    (convolution.Conv2d, nn.Conv2d, (5, 7), {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}),
    (convolution.ConvTranspose2d, nn.ConvTranspose2d, (4, 4), {"kernel_size": 4, "stride": 2, "padding": 1}),
    (convolution.ConvTranspose2d, nn.ConvTranspose2d, (2, 3), {"kernel_size": (2, 3), "stride": (3, 1), "padding": 0}),
]


@pytest.fixture(autouse=True)
def _slow_kernel(monkeypatch):
    monkeypatch.setattr(convolution, "_SLOW_KERNEL", True)


def pair(ours, theirs, size, options, bias=True):
    torch.manual_seed(0)
    plain = theirs(3, 5, **options, bias=bias)
    mine = ours(3, 5, **options, bias=bias)
    mine.load_state_dict(plain.state_dict())
    return mine, plain, torch.randn(6, 3, *size, requires_grad=True)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("ours", "theirs", "size", "options"), LAYERS)
def test_values_and_gradients(ours, theirs, size, options, bias, channels_last, monkeypatch):
    mine, plain, x = pair(ours, theirs, size, options, bias)
    if channels_last:
        mine, plain = (layer.to(memory_format=torch.channels_last) for layer in (mine, plain))
    used = []
    product = convolution.weight_gradient
    monkeypatch.setattr(convolution, "weight_gradient", lambda *a: used.append(a) or product(*a))
    results = []
    for layer in (mine, plain):
        y = layer(x)
        results.append((y, *grad((y**3).sum(), [x, *layer.parameters()])))
    assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)
    assert len(used) == 1


@pytest.mark.parametrize(("ours", "theirs", "size", "options"), LAYERS)
def test_the_gradient_of_a_gradient(ours, theirs, size, options):
    results = []
    for layer in pair(ours, theirs, size, options)[:2]:
        x = pair(ours, theirs, size, options)[2]
        (slope,) = grad((layer(x) ** 3).sum(), x, create_graph=True)
        results.append(grad(slope.square().sum(), [x, *layer.parameters()]))
    assert_close(results[0], results[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transposed", [False, True])
def test_against_finite_differences(transposed):
    x, weight = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 2, 4, 4), (2, 2, 4, 4)))

    def layer(x, weight):
        return convolution._Convolution.apply(x, weight, None, (2, 2), (1, 1), transposed)

    assert gradcheck(layer, (x, weight))
    assert gradgradcheck(layer, (x, weight))


@pytest.mark.parametrize(
    ("size", "slow_kernel", "uses"), [((8, 8), True, True), ((16, 16), True, False), ((8, 8), False, False)]
)
def test_only_where_it_is_the_faster_way(monkeypatch, size, slow_kernel, uses):
    monkeypatch.setattr(convolution, "_SLOW_KERNEL", slow_kernel)
    mine, _, x = pair(convolution.Conv2d, nn.Conv2d, size, LAYERS[0][3])
    assert ("_Convolution" in type(mine(x).grad_fn).__name__) is uses
    with torch.autocast("cpu", torch.bfloat16):
        assert "_Convolution" not in type(mine(x).grad_fn).__name__
    assert "_Convolution" not in type(mine.requires_grad_(False)(x).grad_fn).__name__
