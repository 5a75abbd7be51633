"""Convolutions and their gradients as plain matrix products."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import fold, pad

Pair = tuple[int, int]


def to_one_channel(x: Tensor, weight: Tensor, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return a transposed convolution to one channel, computed as a product and a sum of patches.

    Args:
        x: (N, C, h, w).
        weight: (C, 1, height, width).
        size: height and width (H, W) of the result.
        stride: of the convolution.
        padding: padding that is removed from both sides of the result.

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
        small: (N, S, h, w), the gradient at the output of a convolution, or the input of a transposed one.
        large: (N, L, H, W), the input of a convolution, or the gradient at the output of a transposed one.
        kernel: height and width of the weight.
        stride: of the convolution.
        padding: padding on both sides of `large`.

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
