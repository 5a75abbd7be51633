"""Convolutions that are computed as matrix products where that is the faster way to the same sums."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, pad

# oneDNN lacks some channels-last float32 kernels on such processors. Its general gradient of weights takes 1.5 to 2.6
# times as long as the product below on maps of 4 x 4, and is the faster one on larger maps; what a single channel is
# made of takes it 3 to 5 times as long as the product.
_SLOW_KERNELS = torch.backends.cpu.get_cpu_capability() == "AVX2"
_SMALL_MAP = 16  # positions

Pair = tuple[int, int]


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d, with faster gradients on small maps and for images of one channel.

    Attributes:
        once: nobody differentiates its gradients, which torch's own convolution alone allows.
    """

    once = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        positions = (x.shape[2] // self.stride[0]) * (x.shape[3] // self.stride[1])
        return _applied(self, x, False) if _pays(self, x, self.in_channels, positions) else super().forward(x)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d without output padding, faster to one channel, with faster gradients on small maps.

    Attributes:
        once: as for `Conv2d`.
    """

    once = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the transposed convolution of x (N, C, H, W)."""
        positions = x.shape[2] * x.shape[3]
        return _applied(self, x, True) if _pays(self, x, self.out_channels, positions) else super().forward(x)


def differentiated_once(network: nn.Module) -> None:
    """Let a network's convolutions take the faster ways; differentiating one of their gradients is an error then."""
    for module in network.modules():
        if isinstance(module, (Conv2d, ConvTranspose2d)):
            module.once = True


def _pays(layer: Conv2d | ConvTranspose2d, x: Tensor, channels: int, positions: int) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    single = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return _SLOW_KERNELS and layer.once and plain and single and (channels == 1 or positions <= _SMALL_MAP)


def _applied(layer: Conv2d | ConvTranspose2d, x: Tensor, transposed: bool) -> Tensor:
    """Return the convolution by two functions, so that a gradient that nobody asks for is not computed."""
    way = _Way(layer.stride, layer.padding, transposed)
    y = _OfInput.apply(x, layer.weight.detach(), way)
    if torch.is_grad_enabled() and layer.weight.requires_grad:
        y = y + _OfWeight.apply(layer.weight, x.detach(), y.shape, way)
    return y if layer.bias is None else y + layer.bias.view(-1, 1, 1)


class _Way(NamedTuple):
    stride: Pair
    padding: Pair
    transposed: bool

    def arguments(self) -> tuple[Any, ...]:
        """Return what torch's convolutions take after weight and bias."""
        return self.stride, self.padding, (1, 1), self.transposed, (0, 0), 1


class _OfInput(torch.autograd.Function):
    """A convolution as a function of its input alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, way: _Way) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.way, ctx.size = way, x.shape
        if not (way.transposed and weight.shape[1] == 1):
            return torch.convolution(x, weight, None, *way.arguments())
        size = [(x.shape[2 + i] - 1) * way.stride[i] - 2 * way.padding[i] + weight.shape[2 + i] for i in (0, 1)]
        return to_one_channel(x, weight, size, way.stride, way.padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        _once()
        (weight,), way = ctx.saved_tensors, ctx.way
        if weight.shape[1] == 1 and not way.transposed:
            return to_one_channel(gradient, weight, ctx.size[2:], way.stride, way.padding), None, None
        x = gradient.new_empty(()).expand(ctx.size)  # its shape alone is read
        return (
            torch.ops.aten.convolution_backward(gradient, x, weight, None, *way.arguments(), [True, False, False])[0],
            None,
            None,
        )


class _OfWeight(torch.autograd.Function):
    """A convolution as a function of its weight alone, but for its value: that is 0."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, shape: torch.Size, way: _Way) -> Tensor:
        ctx.save_for_backward(weight, x)
        ctx.way = way
        return weight.new_zeros(()).expand(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        _once()
        (weight, x), way = ctx.saved_tensors, ctx.way
        small, large = (x, gradient) if way.transposed else (gradient, x)
        if small.shape[2] * small.shape[3] <= _SMALL_MAP:
            found = weight_gradient(small, large, weight.shape[2:], way.stride, way.padding)
        else:
            found = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *way.arguments(), [False, True, False]
            )[1]
        return found, None, None, None


def _once() -> None:
    if torch.is_grad_enabled():  # as torch.autograd.grad(..., create_graph=True) has it
        raise RuntimeError("a gradient is to be differentiated, of a network that is said to be differentiated once")


def to_one_channel(x: Tensor, weight: Tensor, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return a transposed convolution whose result has one channel, as a product and a sum of patches.

    Args:
        x: (N, C, h, w).
        weight: (C, 1, height, width).
        size: H, W of the result.
        stride: of the convolution.
        padding: taken off both sides of the result.

    Returns:
        (N, 1, H, W).
    """
    n, channels, h, w = x.shape
    kernel = weight.shape[2:]
    patches = x.permute(0, 2, 3, 1).reshape(n, h * w, channels) @ weight.reshape(channels, -1)
    return fold(patches.transpose(1, 2), tuple(size), tuple(kernel), padding=padding, stride=stride)


def weight_gradient(small: Tensor, large: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of a convolution's weight as one matrix product.

    Args:
        small: (N, S, h, w), the gradient at a convolution's output, or a transposed one's input.
        large: (N, L, H, W), a convolution's input, or the gradient at a transposed one's output.
        kernel: height and width of the weight.
        stride: of the convolution.
        padding: on both sides of `large`.

    Returns:
        (S, L, height, width), channels last.
    """
    n, _, h, w = small.shape
    rows = pad(large.permute(0, 2, 3, 1).contiguous(), (0, 0, padding[1], padding[1], padding[0], padding[0]))
    channels, (image, row, column, _) = rows.shape[3], rows.stride()
    # The patch that each position of `small` sees; a patch's columns lie side by side in memory.
    patches = rows.as_strided(
        (n, h, w, kernel[0], kernel[1] * channels), (image, stride[0] * row, stride[1] * column, row, 1)
    )
    flat = small.permute(0, 2, 3, 1).reshape(n * h * w, -1)
    found = flat.t() @ patches.reshape(n * h * w, -1)
    return found.view(-1, *kernel, channels).permute(0, 3, 1, 2)
