"""The convolutions with derivatives of their own have torch's values and gradients."""

import copy
import math
from contextlib import nullcontext

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
    (CONV, (1, 5), (16, 16), DOUBLING, {"to_few_channels"}),
    (CONV, (1, 5), (11, 14), ODD, {"to_few_channels"}),
    (CONV, (1, 5), (8, 8), DOUBLING, {"to_few_channels", "weight_gradient"}),
    (TRANSPOSED, (3, 5), (4, 4), DOUBLING, {"weight_gradient"}),
    (TRANSPOSED, (3, 5), (2, 3), ODD, {"weight_gradient"}),
    (TRANSPOSED, (3, 1), (8, 8), DOUBLING, {"to_few_channels"}),
    (TRANSPOSED, (3, 1), (6, 5), ODD, {"to_few_channels"}),
    (TRANSPOSED, (3, 1), (4, 4), DOUBLING, {"to_few_channels", "weight_gradient"}),
]


BF16 = [(name, threads) for name, dtype in convolution.RULES if dtype == torch.bfloat16 for threads in (1, 2)]


def processor(monkeypatch, fp32="AVX2", bf16=None, threads=1):
    """Take the rules of other processors than this one."""
    monkeypatch.setattr(convolution, "_PROCESSOR", {torch.float32: fp32, torch.bfloat16: bf16})
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)


@pytest.fixture(autouse=True)
def _avx2(monkeypatch):
    processor(monkeypatch)


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
    for name in ("weight_gradient", "to_few_channels"):
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


def ways(monkeypatch):
    """Return the list that convolutions of two functions enter, with the limit of their product."""
    taken = []
    applied = convolution._applied
    monkeypatch.setattr(convolution, "_applied", lambda *a: taken.append(a[-1]) or applied(*a))
    return taken


@pytest.mark.parametrize(
    ("channels", "size", "times", "fp32", "uses"),
    [
        (3, 8, 1, "AVX2", True),
        (3, 16, 1, "AVX2", False),
        (1, 16, 1, "AVX2", True),
        (1, 8, 1, "AVX512", False),
        (3, 16, 2, "AVX2", True),
        (3, 16, 2, "AVX512", False),
    ],
)
def test_only_where_it_is_the_faster_way(monkeypatch, channels, size, times, fp32, uses):
    processor(monkeypatch, fp32)
    mine, _, x = pair(CONV, (channels, 5), (size, size), DOUBLING, times=times)
    taken = ways(monkeypatch)
    mine(x)
    assert bool(taken) is uses
    with torch.autocast("cpu", torch.bfloat16):
        mine(x)
    mine.double()(x.double())
    assert len(taken) == int(uses)


@pytest.mark.parametrize(
    ("name", "threads", "channels", "size", "options", "limit"),
    [
        ("amx_bf16", 1, 3, 8, DOUBLING, 16),
        ("amx_bf16", 1, 3, 16, DOUBLING, None),
        ("amx_bf16", 2, 3, 16, DOUBLING, 64),
        ("amx_bf16", 2, 3, 32, DOUBLING, None),
        ("amx_bf16", 2, 1, 64, DOUBLING, 16),
        ("avx512_bf16", 1, 3, 16, DOUBLING, None),
        ("avx512_bf16", 2, 3, 32, DOUBLING, 256),
        ("avx512_bf16", 1, 3, 4, ONE_SIZE, None),
        ("avx512_bf16", 2, 3, 16, ONE_SIZE, 256),
        (None, 2, 3, 8, DOUBLING, None),
    ],
)
def test_the_rule_of_bf16_depends_on_processor_shape_and_threads(
    monkeypatch, name, threads, channels, size, options, limit
):
    processor(monkeypatch, None, name, threads)
    mine, _, x = pair(CONV, (channels, 5), (size, size), options)
    taken = ways(monkeypatch)
    mine(x)
    assert not taken
    with torch.autocast("cpu", torch.bfloat16):
        mine(x)
    assert [limits.weights for limits in taken] == ([] if limit is None else [limit])
    assert all(limits.every == (16 if name == "amx_bf16" else 0) for limits in taken)


BF16_LAYERS = [(*layer[:4], times) for layer in LAYERS for times in (1, 2)] + [
    (CONV, (8, 16), (16, 16), DOUBLING, 1),  # its rows are products of their own
    (CONV, (8, 16), (16, 16), DOUBLING, 2),
    (TRANSPOSED, (16, 8), (8, 8), DOUBLING, 1),
    (CONV, (8, 8), (8, 8), ONE_SIZE, 1),
    (CONV, (8, 8), (8, 8), ONE_SIZE, 2),
]


@pytest.mark.parametrize(("name", "threads"), BF16)
@pytest.mark.parametrize(("classes", "channels", "size", "options", "times"), BF16_LAYERS)
def test_in_bf16_no_further_from_the_truth_than_torchs_own(
    monkeypatch, classes, channels, size, options, times, name, threads
):
    """Against float64: the value, the gradients, and under a penalty the gradients of a norm of gradients."""
    processor(monkeypatch, None, name, threads)
    of_mine, of_torch = errors(classes, channels, size, options, times, torch.bfloat16)
    assert (of_mine <= 1.1 * of_torch + 1e-4).all(), (of_mine, of_torch)
    assert of_torch.max() > 1e-4


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(("dtype", "least"), [(torch.bfloat16, 1e-4), (torch.float32, 1e-6)])
@pytest.mark.parametrize(
    ("classes", "channels", "size", "options", "times"),
    [
        *BF16_LAYERS,
        (CONV, (1, 64), (64, 64), DOUBLING, 1),
        (CONV, (1, 64), (64, 64), DOUBLING, 2),
        (TRANSPOSED, (64, 1), (32, 32), DOUBLING, 1),
        (TRANSPOSED, (64, 3), (32, 32), DOUBLING, 2),
    ],
)
def test_on_a_gpu_no_further_from_the_truth_than_torchs_own(
    monkeypatch, classes, channels, size, options, times, dtype, least
):
    """Where a kernel sees few numbers, and under a penalty, they are not torch's own."""
    for name in ("allow_tf32", "allow_bf16_reduced_precision_reduction"):
        monkeypatch.setattr(torch.backends.cuda.matmul, name, False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    taken = ways(monkeypatch)
    of_mine, of_torch = errors(classes, channels, size, options, times, dtype, "cuda")
    assert (of_mine <= 1.1 * of_torch + least).all(), (of_mine, of_torch)
    larger = channels[classes is TRANSPOSED]
    seen = larger * math.prod(nn.Conv2d(1, 1, **options).kernel_size)
    assert bool(taken) is (times == 2 or (seen <= 64 and seen % 8 == 0))
    assert all(limits.whole for limits in taken) or times == 2


def errors(classes, channels, size, options, times, dtype, device="cpu"):
    """Return the errors of the layer and of torch's own against float64, of each of its results."""
    found = []
    for seed in range(3):
        mine, plain, _ = pair(classes, channels, size, options, times=times)
        torch.manual_seed(seed)
        x = torch.randn(16, channels[0], *size).bfloat16().float().to(device).requires_grad_()
        for layer in (mine.to(device), plain.to(device)):
            layer.load_state_dict({k: v.bfloat16().float() for k, v in plain.state_dict().items()})
        truth = results(copy.deepcopy(plain).double(), x.detach().double().requires_grad_(), times, nullcontext())
        autocast = torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16)
        both = [results(layer, x, times, autocast) for layer in (mine, plain)]
        found.append([[((f - t).norm() / t.norm()).item() for f, t in zip(r, truth, strict=True)] for r in both])
    return torch.tensor(found).mean(0)


def results(layer, x, times, autocast):
    """Return a layer's value and gradients, and with times=2 the gradient of a penalty by the weight, in float64."""
    torch.manual_seed(9)
    with autocast:
        y = layer(x)
    towards = torch.randn(y.shape).bfloat16().to(y)
    if times == 1:
        return [r.double() for r in (y, *grad(y, [x, *layer.parameters()], towards))]
    (derivative,) = grad(y, x, towards, create_graph=True)
    penalty = derivative.flatten(1).norm(dim=1).sub(1).square().mean()
    return [derivative.double(), *(g.double() for g in grad(penalty, layer.weight))]
