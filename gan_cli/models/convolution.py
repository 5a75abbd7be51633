"""Convolutions that are computed as matrix products where that is the faster way to the same sums."""

from __future__ import annotations

from typing import Any

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
    """torch.nn.Conv2d, with faster gradients on small maps and for images of one channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        positions = (x.shape[2] // self.stride[0]) * (x.shape[3] // self.stride[1])
        if not _pays(self, x, self.in_channels, positions):
            return super().forward(x)
        return _Convolution.apply(x, self.weight, self.bias, self.stride, self.padding, False)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d without output padding, faster to one channel, with faster gradients on small maps."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the transposed convolution of x (N, C, H, W)."""
        if not _pays(self, x, self.out_channels, x.shape[2] * x.shape[3]):
            return super().forward(x)
        return _Convolution.apply(x, self.weight, self.bias, self.stride, self.padding, True)


def _pays(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, channels: int, positions: int) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    single = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return _SLOW_KERNELS and plain and single and (channels == 1 or positions <= _SMALL_MAP)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.way = (stride, padding, (1, 1), transposed, (0, 0), 1)
        ctx.bias_sizes = None if bias is None else tuple(bias.shape)
        if not (transposed and weight.shape[1] == 1):
            return torch.convolution(x, weight, bias, *ctx.way)
        size = [
            (n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[2:], stride, padding, weight.shape[2:], strict=True)
        ]
        y = to_one_channel(x, weight, size, stride, padding)
        return y if bias is None else y + bias

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, _, transposed, *_ = ctx.way
        small, large = (x, gradient) if transposed else (gradient, x)
        wanted = list(ctx.needs_input_grad[:3])
        ours: dict[int, Tensor] = {}
        if not torch.is_grad_enabled():  # torch's own gradients have derivatives as fast as themselves
            if wanted[0] and not transposed and weight.shape[1] == 1:
                ours[0] = to_one_channel(gradient, weight, x.shape[2:], stride, padding)
            if wanted[1] and small.shape[2] * small.shape[3] <= _SMALL_MAP:
                ours[1] = weight_gradient(small, large, weight.shape[2:], stride, padding)
        left = [want and i not in ours for i, want in enumerate(wanted)]
        theirs = torch.ops.aten.convolution_backward(gradient, x, weight, ctx.bias_sizes, *ctx.way, left)
        return (*(ours.get(i, found) for i, found in enumerate(theirs)), None, None, None)


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
