"""The convolutions with derivatives of their own have torch's values and gradients."""

import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.testing import assert_close

from gan_cli.models import convolution
from gan_cli.models.derivatives import differentiated

DOUBLING = {"kernel_size": 4, "stride": 2, "padding": 1}
ODD = {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}
CONV = (convolution.Conv2d, nn.Conv2d)
ONE_SIZE = {"kernel_size": 3, "stride": 1, "padding": 1}
TRANSPOSED = (convolution.ConvTranspose2d, nn.ConvTranspose2d)
LAYERS = [  # classes, channels in and out, size, options, and which products they take
    (CONV, (3, 5), (8, 8), DOUBLING, {"weight_gradient"}),
    (CONV, (3, 5), (8, 8), {"kernel_size": 3, "stride": 2, "padding": 1}, {"weight_gradient"}),
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


def pair(classes, channels, size, options, bias=True, times=1):
    torch.manual_seed(0)
    mine, plain = (cls(*channels, **options, bias=bias) for cls in classes)
    mine.load_state_dict(plain.state_dict())
    differentiated(mine, times)
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


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("classes", "channels", "size", "options", "products"), [*LAYERS, (CONV, (3, 5), (4, 4), ONE_SIZE, set())]
)
def test_the_input_gradients_own_gradients(classes, channels, size, options, products, bias):
    """As a penalty on a network's norms needs them: by its input, by this layer's weights and by others'."""
    mine, plain, x = pair(classes, channels, size, options, bias, times=2)
    before = torch.tensor(1.5, requires_grad=True)
    results = []
    for layer in (mine, plain):
        wanted = [x, before, *layer.parameters()]
        (derivative,) = grad((layer(before * x) ** 3).sum(), x, create_graph=True)
        results.append(grad(derivative.square().sum(), wanted))
    assert_close(results[0], results[1], rtol=1e-4, atol=1e-2)
    assert all(g.abs().max() > 1 for g in results[1])


@pytest.mark.parametrize(("classes", "channels", "size", "options", "products"), LAYERS)
def test_no_gradient_is_differentiated_that_was_said_not_to_be(classes, channels, size, options, products):
    mine, plain, x = pair(classes, channels, size, options)
    for times, of in ((1, x), (1, mine.weight), (2, mine.weight)):
        differentiated(mine, times)
        with pytest.raises(RuntimeError, match="more often than"):
            grad((mine(x) ** 3).sum(), of, create_graph=True)
    mine.times = None
    norms = [grad((layer(x) ** 3).sum(), x, create_graph=True)[0] for layer in (mine, plain)]
    found, expected = (grad(s.square().sum(), [x, layer.weight]) for s, layer in zip(norms, (mine, plain), strict=True))
    assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("times", "uses"), [(1, False), (2, True)])
def test_one_size_is_torchs_own_but_under_a_penalty(times, uses, monkeypatch):
    mine, _, x = pair(CONV, (3, 5), (4, 4), ONE_SIZE, times=times)
    taken = []
    apply = convolution._OfInput.apply
    monkeypatch.setattr(convolution._OfInput, "apply", lambda *a: taken.append(a) or apply(*a))
    mine(x)
    assert bool(taken) is uses


def test_a_weight_that_moved_before_its_use_is_an_error():
    mine, _, x = pair(CONV, (3, 5), (4, 4), DOUBLING)
    y = mine(x).sum()
    with torch.no_grad():
        mine.weight += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        grad(y, x)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("unwanted", ["input", "weight"])
@pytest.mark.parametrize(("classes", "channels", "size", "options", "products"), LAYERS)
def test_what_nobody_asks_for_is_not_computed(classes, channels, size, options, products, unwanted, times, monkeypatch):
    mine, _, x = pair(classes, channels, size, options, times=times)

    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr(getattr(convolution, f"_Of{unwanted.title()}"), "backward", never)
    grad((mine(x) ** 3).sum(), mine.weight if unwanted == "input" else x)


@pytest.mark.parametrize(
    ("channels", "size", "times", "slow_kernels", "uses"),
    [
        (3, 8, 1, True, True),
        (3, 16, 1, True, False),
        (1, 16, 1, True, True),
        (1, 8, 1, False, False),
        (3, 16, 2, True, True),
        (3, 16, 2, False, False),
    ],
)
def test_only_where_it_is_the_faster_way(monkeypatch, channels, size, times, slow_kernels, uses):
    monkeypatch.setattr(convolution, "_SLOW_KERNELS", slow_kernels)
    mine, _, x = pair(CONV, (channels, 5), (size, size), DOUBLING, times=times)
    taken = []
    apply = convolution._OfInput.apply
    monkeypatch.setattr(convolution._OfInput, "apply", lambda *a: taken.append(a) or apply(*a))
    mine(x)
    assert bool(taken) is uses
    with torch.autocast("cpu", torch.bfloat16):
        mine(x)
    assert len(taken) == int(uses)
