"""Convolutions that are computed as matrix products if that is faster."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.core.processor import bf16_unit
from gan_cli.models.derivatives import Differentiated
from gan_cli.models.products import Pair, sums, to_few_channels, to_larger, to_smaller, weight_gradient


class Rule(NamedTuple):
    """When a convolution in some number format is computed as matrix products on some processors or on a GPU.

    Where there is a rule, maps of one channel are made by a product, and so is the gradient of a gradient penalty by
    the weights: torch takes it as a convolution with whole maps for kernels.

    Attributes:
        alone: the gradient of the weights is a product on maps of so many positions where one thread works.
        shared: the same where several do.
        every: all three passes are products on maps of so many positions.
        patch: all three passes are products where a patch of the larger map has at most so many numbers, a multiple of
            8, as fast kernels need it.
    """

    alone: int
    shared: int
    every: int = 0
    patch: int = 0


# Figures are in docs/benchmarks.md.
#
# AVX2: oneDNN lacks some channels-last kernels. Its general gradient of weights takes 1.5 to 2.6 times as long as the
# product on maps of 4 x 4, and is the faster one on larger maps; what a single channel is made of takes it 3 to 5 times
# as long as the product, and the gradient of a penalty's norms 1.8 to 4 times.
#
# bf16: its gradient of weights takes 1.4 to 5 times as long as the product on maps of 4 x 4. Its threads wait for each
# other in a barrier that no setting of OpenMP reaches, so that beside another process it takes 9 to 50 times as long
# as alone: several threads use products on larger maps too, where alone they take as long or a little longer. With AMX
# the three passes together take twice as long as products on maps of 4 x 4.
#
# CUDA: cuDNN has no fast kernels for maps of few channels, and returns such a layer's result in the other memory
# format, so that the next layer converts it. With them a step of WGAN takes 1.4 times as long, and one of WGAN-GP, with
# convolutions that have whole maps for kernels, 1.7 times (H100, bf16, 64 x 64).
RULES = {
    ("AVX2", torch.float32): Rule(alone=16, shared=16),
    ("avx512_bf16", torch.bfloat16): Rule(alone=16, shared=256),
    ("amx_bf16", torch.bfloat16): Rule(alone=16, shared=64, every=16),
    ("CUDA", torch.float32): Rule(alone=0, shared=0, patch=64),
    ("CUDA", torch.bfloat16): Rule(alone=0, shared=0, patch=64),
}
_PROCESSOR = {torch.float32: torch.backends.cpu.get_cpu_capability(), torch.bfloat16: bf16_unit()}

_backward = torch.ops.aten.convolution_backward


class Conv2d(Differentiated, nn.Conv2d):
    """torch.nn.Conv2d, with faster gradients on small maps, for images of one channel, and under gradient penalties."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        positions = (x.shape[2] // self.stride[0]) * (x.shape[3] // self.stride[1])
        limits = _limits(self, x, self.in_channels, positions)
        return super().forward(x) if limits is None else _applied(self, x, False, limits)


class ConvTranspose2d(Differentiated, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d without output padding; faster as above, and to one channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the transposed convolution of x (N, C, H, W)."""
        positions = x.shape[2] * x.shape[3]
        limits = _limits(self, x, self.out_channels, positions)
        return super().forward(x) if limits is None else _applied(self, x, True, limits)


class _Limits(NamedTuple):
    """Up to how many positions the gradient of the weights, and every pass, is a product; `whole`: at any number."""

    weights: int
    every: int
    whole: bool = False


def _limits(layer: Conv2d | ConvTranspose2d, x: Tensor, channels: int, positions: int) -> _Limits | None:
    """Return the limits of a layer on x; None: all is torch's own."""
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    dtype = _dtype(x)
    rule = RULES.get(("CUDA" if x.is_cuda else _PROCESSOR.get(dtype), dtype))
    if rule is None or not plain or x.device.type not in ("cpu", "cuda") or layer.times is None:
        return None
    seen = channels * math.prod(layer.kernel_size)
    if seen <= rule.patch and seen % 8 == 0:
        return _Limits(0, 0, whole=True)
    several = channels > 1 and torch.get_num_threads() > 1  # torch's own gradient has no barrier for a single channel
    weights = rule.shared if several else rule.alone
    # One thread gains nothing in a residual network's convolutions at one size.
    halving = max(layer.stride) > 1
    gains = halving or (several and rule.shared > rule.alone)
    if layer.times == 1 and (x.is_cuda or not (gains and (channels == 1 or positions <= weights))):
        return None
    overlapping = all(k >= s for k, s in zip(layer.kernel_size, layer.stride, strict=True))
    return _Limits(weights, rule.every if halving and overlapping else 0)


def _dtype(x: Tensor) -> torch.dtype:
    """Return what a convolution of x is computed in."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _Way(NamedTuple):
    """The settings of a convolution: everything except its input.

    Attributes:
        weight: (S, L, height, width) between maps of L channels and no larger ones of S channels.
        stride: distance from one patch of the larger map to the next.
        padding: padding on both sides of the larger map.
        transposed: whether it makes the larger map from the smaller one.
        size: height and width of its result.
        times: as for `Differentiated`.
        limits: which passes are products.
    """

    weight: Tensor
    stride: Pair
    padding: Pair
    transposed: bool
    size: Pair
    times: int
    limits: _Limits

    def arguments(self) -> tuple[Any, ...]:
        """Return torch's arguments after weight and bias, for the convolution that makes the smaller map."""
        return self.stride, self.padding, (1, 1), False, (0, 0), 1

    def back(self, size: tuple[int, ...]) -> _Way:
        """Return the settings of the gradient by the input of this size, which is a convolution too."""
        return self._replace(transposed=not self.transposed, size=size)


def _applied(layer: Conv2d | ConvTranspose2d, x: Tensor, transposed: bool, limits: _Limits) -> Tensor:
    sizes = zip(x.shape[2:], layer.kernel_size, layer.stride, layer.padding, strict=True)
    height, width = ((n - 1) * s - 2 * p + k if transposed else (n + 2 * p - k) // s + 1 for n, k, s, p in sizes)
    dtype, bias = _dtype(x), layer.bias
    way = _Way(layer.weight.to(dtype), layer.stride, layer.padding, transposed, (height, width), layer.times, limits)
    with torch.autocast(x.device.type, enabled=False):
        return _convolved(x.to(dtype), bias if bias is None else bias.to(dtype), way)


def _convolved(x: Tensor, bias: Tensor | None, way: _Way) -> Tensor:
    """Return the convolution by two functions, so that only the needed gradients are computed."""
    y = _OfInput.apply(x, None if bias is None else bias.detach(), way)
    if torch.is_grad_enabled() and way.weight.requires_grad:
        return _Joined.apply(y, _OfWeight.apply(way.weight, bias, x.detach(), y.shape, way))
    return y


class _OfInput(torch.autograd.Function):
    """A convolution as a function of only its input, although its derivative also depends on the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, way: _Way) -> Tensor:
        weight = way.weight.detach()
        ctx.save_for_backward(weight)  # torch sees then whether it moves before its use
        ctx.way, ctx.size = way, tuple(x.shape[2:])
        limits = way.limits
        products = limits.whole or math.prod(x.shape[2:] if way.transposed else way.size) <= limits.every
        if not way.transposed:
            if products:
                return to_smaller(x, weight, bias, way.stride, way.padding)
            return torch.convolution(x, weight, bias, *way.arguments())
        if weight.shape[1] == 1 or limits.whole:
            return to_few_channels(x, weight, bias, way.size, way.stride, way.padding)
        if products:
            return to_larger(x, weight, bias, way.size, way.stride, way.padding)
        if bias is not None and x.dtype != torch.float32:  # the sum with the bias is rounded once
            return torch.convolution(x, weight, bias, way.stride, way.padding, (1, 1), True, (0, 0), 1)
        made = x.new_empty(()).expand(len(x), weight.shape[1], *way.size)  # its shape alone is read
        y = _backward(x, made, weight, None, *way.arguments(), [True, False, False])[0]
        return y if bias is None else y.add_(bias.view(-1, 1, 1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        _ = ctx.saved_tensors
        _allow(ctx.way.times == 2 or not torch.is_grad_enabled())
        return _convolved(gradient, None, ctx.way.back(ctx.size)), None, None


class _OfWeight(torch.autograd.Function):
    """The derivatives of a convolution by its weight and bias; the value of this function is 0."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, x: Tensor, shape: torch.Size, way: _Way) -> Tensor:
        ctx.save_for_backward(x)
        ctx.way, ctx.biased = way, bias is not None
        return weight.new_zeros(()).expand(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        _allow(not torch.is_grad_enabled())
        (x,), way = ctx.saved_tensors, ctx.way
        small, large = (x, gradient) if way.transposed else (gradient, x)
        if way.limits.whole or small.shape[2] * small.shape[3] <= way.limits.weights:
            found = weight_gradient(small, large, way.weight.shape[2:], way.stride, way.padding)
        else:
            found = _backward(small, large, way.weight, None, *way.arguments(), [False, True, False])[1]
        return found, sums(gradient) if ctx.biased else None, None, None, None


class _Joined(torch.autograd.Function):
    """The sum of a convolution and the zeros, at no cost."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, zeros: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, gradient


def _allow(known: bool) -> None:
    if not known:
        raise RuntimeError("a gradient is differentiated more often than `differentiated` allows")
