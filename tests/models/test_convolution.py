"""The convolutions made of matrix products have torch's values and gradients."""

import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.testing import assert_close

from gan_cli import build
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
    convolution.differentiated_once(mine)
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
def test_a_gradient_is_not_differentiated_unless_torch_does_it(classes, channels, size, options, products):
    mine, plain, x = pair(classes, channels, size, options)
    for of in (x, mine.weight):
        with pytest.raises(RuntimeError, match="differentiated once"):
            grad((mine(x) ** 3).sum(), of, create_graph=True)
    mine.once = False
    slopes = [grad((layer(x) ** 3).sum(), x, create_graph=True)[0] for layer in (mine, plain)]
    found, expected = (
        grad(s.square().sum(), [x, layer.weight]) for s, layer in zip(slopes, (mine, plain), strict=True)
    )
    assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("unwanted", ["input", "weight"])
@pytest.mark.parametrize(("classes", "channels", "size", "options", "products"), LAYERS)
def test_what_nobody_asks_for_is_not_computed(classes, channels, size, options, products, unwanted, monkeypatch):
    mine, _, x = pair(classes, channels, size, options)

    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr(getattr(convolution, f"_Of{unwanted.title()}"), "backward", never)
    grad((mine(x) ** 3).sum(), mine.weight if unwanted == "input" else x)


def test_what_is_differentiated_twice_keeps_torchs_convolutions(settings_of):
    def once(*overrides):
        settings = build.check(settings_of("model.width=4", *overrides)).settings
        game = build.state(settings, (1, 16, 16), torch.device("cpu")).game
        found = {
            name: {m.once for m in getattr(game, name).modules() if isinstance(m, (CONV[0], TRANSPOSED[0]))}
            for name in ("generator", "critic")
        }
        return found["generator"], found["critic"]

    assert once("loss=wgan") == once("loss=ebgan") == ({True}, {True})
    assert once("loss=wgan_gp") == once("loss=nonsaturating", "updates=unrolled") == ({True}, {False})
    assert once("loss=wgan", "allow_targets=[mine]") == ({False}, {False})


@pytest.mark.parametrize(
    ("channels", "size", "slow_kernels", "uses"),
    [(3, 8, True, True), (3, 16, True, False), (1, 16, True, True), (1, 8, False, False)],
)
def test_only_where_it_is_the_faster_way(monkeypatch, channels, size, slow_kernels, uses):
    monkeypatch.setattr(convolution, "_SLOW_KERNELS", slow_kernels)
    mine, _, x = pair(CONV, (channels, 5), (size, size), DOUBLING)
    taken = []
    apply = convolution._OfInput.apply
    monkeypatch.setattr(convolution._OfInput, "apply", lambda *a: taken.append(a) or apply(*a))
    mine(x)
    assert bool(taken) is uses
    with torch.autocast("cpu", torch.bfloat16):
        mine(x)
    assert len(taken) == int(uses)
