"""The convolutions made of matrix products have torch's values and gradients, of first and second order."""

import pytest
import torch
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.testing import assert_close

from gan_cli.models import convolution

DOUBLING = {"kernel_size": 4, "stride": 2, "padding": 1}
ODD = {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}
CONV = (convolution.Conv2d, nn.Conv2d)
TRANSPOSED = (convolution.ConvTranspose2d, nn.ConvTranspose2d)
LAYERS = [  # classes, channels in and out, size, options, and which products they take
    (CONV, (3, 5), (8, 8), DOUBLING, {"weight_gradient"}),
    (CONV, (3, 5), (4, 4), {"kernel_size": 3, "stride": 1, "padding": 1}, {"weight_gradient"}),
    (CONV, (3, 5), (5, 7), ODD, {"weight_gradient"}),
    (CONV, (1, 5), (16, 16), DOUBLING, {"to_one_channel"}),
    (CONV, (1, 5), (11, 14), ODD, {"to_one_channel"}),
    (CONV, (1, 5), (8, 8), DOUBLING, {"to_one_channel", "weight_gradient"}),
    (TRANSPOSED, (3, 5), (4, 4), DOUBLING, {"weight_gradient"}),
    (TRANSPOSED, (3, 5), (2, 3), ODD, {"weight_gradient"}),
    (TRANSPOSED, (3, 1), (8, 8), DOUBLING, {"to_one_channel"}),
    (TRANSPOSED, (3, 1), (6, 5), ODD, {"to_one_channel"}),
    (TRANSPOSED, (3, 1), (4, 4), DOUBLING, {"to_one_channel", "weight_gradient"}),
]


@pytest.fixture(autouse=True)
def _slow_kernels(monkeypatch):
    monkeypatch.setattr(convolution, "_SLOW_KERNELS", True)


def pair(classes, channels, size, options, bias=True):
    torch.manual_seed(0)
    mine, plain = (cls(*channels, **options, bias=bias) for cls in classes)
    mine.load_state_dict(plain.state_dict())
    return mine, plain, torch.randn(6, channels[0], *size, requires_grad=True)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("classes", "channels", "size", "options", "products"), LAYERS)
def test_values_and_gradients(classes, channels, size, options, products, bias, channels_last, monkeypatch):
    mine, plain, x = pair(classes, channels, size, options, bias)
    if channels_last:
        mine, plain = (layer.to(memory_format=torch.channels_last) for layer in (mine, plain))
    used = set()
    for name in ("weight_gradient", "to_one_channel"):
        product = getattr(convolution, name)
        monkeypatch.setattr(convolution, name, lambda *a, name=name, product=product: used.add(name) or product(*a))
    results = []
    for layer in (mine, plain):
        y = layer(x)
        results.append((y, *grad((y**3).sum(), [x, *layer.parameters()])))
    assert_close(results[0], results[1], rtol=1e-5, atol=1e-4)
    assert used == products


@pytest.mark.parametrize(("classes", "channels", "size", "options", "products"), LAYERS)
def test_the_gradient_of_a_gradient(classes, channels, size, options, products):
    *layers, x = pair(classes, channels, size, options)
    results = []
    for layer in layers:
        (slope,) = grad((layer(x) ** 3).sum(), x, create_graph=True)
        results.append(grad(slope.square().sum(), [x, *layer.parameters()]))
    assert_close(results[0], results[1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_against_finite_differences(transposed, channels):
    torch.manual_seed(0)
    shapes = (2, 2 if transposed else channels, 4, 4), (2, channels, 4, 4)
    x, weight = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes)

    def layer(x, weight):
        return convolution._Convolution.apply(x, weight, None, (2, 2), (1, 1), transposed)

    assert gradcheck(layer, (x, weight))
    assert gradgradcheck(layer, (x, weight))


@pytest.mark.parametrize(
    ("channels", "size", "slow_kernels", "uses"),
    [(3, 8, True, True), (3, 16, True, False), (1, 16, True, True), (1, 8, False, False)],
)
def test_only_where_it_is_the_faster_way(monkeypatch, channels, size, slow_kernels, uses):
    monkeypatch.setattr(convolution, "_SLOW_KERNELS", slow_kernels)
    mine, _, x = pair(CONV, (channels, 5), (size, size), DOUBLING)
    assert ("_Convolution" in type(mine(x).grad_fn).__name__) is uses
    with torch.autocast("cpu", torch.bfloat16):
        assert "_Convolution" not in type(mine(x).grad_fn).__name__
