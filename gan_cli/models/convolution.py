"""Convolutions whose weights' gradient is a matrix product where that is the faster way to the same sum."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

# oneDNN has no gradient kernel of its own for channels-last float32 weights on such processors: its general one takes
# 1.5 to 2.6 times as long as the product below on maps of this size, and is the faster one on larger maps.
_SLOW_KERNEL = torch.backends.cpu.get_cpu_capability() == "AVX2"
_SMALL_MAP = 16  # positions: 4 x 4


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d, with a faster gradient on small maps."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        positions = (x.shape[2] // self.stride[0]) * (x.shape[3] // self.stride[1])
        return _applied(self, x, False) if _pays(self, x, positions) else super().forward(x)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d, with a faster gradient on small maps."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the transposed convolution of x (N, C, H, W)."""
        return _applied(self, x, True) if _pays(self, x, x.shape[2] * x.shape[3]) else super().forward(x)


def _pays(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, positions: int) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    learning = torch.is_grad_enabled() and layer.weight.requires_grad
    single = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return _SLOW_KERNEL and plain and learning and single and positions <= _SMALL_MAP


def _applied(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, transposed: bool) -> Tensor:
    return _Convolution.apply(x, layer.weight, layer.bias, layer.stride, layer.padding, transposed)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.way = (stride, padding, (1, 1), transposed, (0, 0), 1)
        ctx.bias_sizes = None if bias is None else tuple(bias.shape)
        return torch.convolution(x, weight, bias, *ctx.way)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        twice = torch.is_grad_enabled()  # torch's own gradient has a derivative as fast as itself
        found = torch.ops.aten.convolution_backward(
            gradient, x, weight, ctx.bias_sizes, *ctx.way, [of_x, of_weight and twice, of_bias]
        )
        if of_weight and not twice:
            stride, padding, _, transposed, *_ = ctx.way
            small, large = (x, gradient) if transposed else (gradient, x)
            found = found[0], weight_gradient(small, large, weight.shape[2:], stride, padding), found[2]
        return (*found, None, None, None)


def weight_gradient(
    small: Tensor, large: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
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
