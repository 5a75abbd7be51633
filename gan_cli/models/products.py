"""Convolutions and their gradients as plain matrix products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import fold, pad

Pair = tuple[int, int]

_WHOLE = 16  # positions: the patches of larger maps are made row by row, which leaves less memory to fetch


def to_one_channel(x: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return a transposed convolution to one channel, computed in float32 as a product and a sum of patches.

    Args:
        x: (N, C, h, w).
        weight: (C, 1, height, width).
        bias: (1,).
        size: height and width (H, W) of the result.
        stride: of the convolution.
        padding: padding that is removed from both sides of the result.

    Returns:
        (N, 1, H, W).
    """
    n, channels, h, w = x.shape
    kernel = weight.shape[2:]
    patches = x.permute(0, 2, 3, 1).reshape(n, h * w, channels).float() @ weight.reshape(channels, -1).float()
    y = fold(patches.transpose(1, 2), tuple(size), tuple(kernel), padding=padding, stride=stride)
    return (y if bias is None else y.add_(bias.float())).to(x.dtype)


def weight_gradient(small: Tensor, large: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of a convolution's weight as a matrix product, or as one for each row of its kernel.

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
    flat = small.permute(0, 2, 3, 1).reshape(n * h * w, -1).t()
    if h * w <= _WHOLE:
        found = flat @ patches.reshape(n * h * w, -1)
        return found.view(-1, *kernel, channels).permute(0, 3, 1, 2)
    row_of_each = small.new_empty((n, h, w, kernel[1] * channels))
    rows_found = small.new_empty((kernel[0], len(flat), kernel[1] * channels))
    for i, found in enumerate(rows_found):
        row_of_each.copy_(patches[:, :, :, i])
        torch.mm(flat, row_of_each.view(n * h * w, -1), out=found)
    return rows_found.view(kernel[0], len(flat), kernel[1], channels).permute(1, 3, 0, 2)
