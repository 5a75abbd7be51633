"""Convolutions and their gradients as plain matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import fold, pad

Pair = tuple[int, int]

_WHOLE = 16  # positions: the patches of larger maps are made row by row, which leaves less memory to fetch
_SUMS_IN_FLOAT32 = torch.__version__ >= "2.8"  # its products on a GPU have a format of their own


def to_few_channels(x: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return a transposed convolution to few channels, computed in float32 as a product and a sum of patches.

    Args:
        x: (N, S, h, w).
        weight: (S, L, height, width).
        bias: (L,).
        size: height and width (H, W) of the result.
        stride: of the convolution.
        padding: padding that is removed from both sides of the result.

    Returns:
        (N, L, H, W).
    """
    n, channels = x.shape[:2]
    kernel, matrix, rows = weight.shape[2:], weight.reshape(channels, -1), x.permute(0, 2, 3, 1).flatten(1, 2)
    if x.is_cuda and x.dtype != torch.float32 and _SUMS_IN_FLOAT32:  # the factors need not be copied to float32
        patches = torch.bmm(matrix.t().expand(n, -1, -1), rows.transpose(1, 2), out_dtype=torch.float32)
    else:
        patches = (rows.float() @ matrix.float()).transpose(1, 2)
    y = fold(patches, tuple(size), tuple(kernel), padding=padding, stride=stride)
    return (y if bias is None else y.add_(bias.float().view(-1, 1, 1))).to(x.dtype)


def to_smaller(large: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
    """Return a convolution as one matrix product.

    Args:
        large: (N, L, H, W).
        weight: (S, L, height, width).
        bias: (S,).
        stride: of the convolution.
        padding: padding on both sides of `large`.

    Returns:
        (N, S, h, w), channels last.
    """
    patches = _patches(large, weight.shape[2:], stride, padding, padding)
    made = _empty(large, len(weight), patches.shape[1:3])
    _times(patches, weight.permute(2, 3, 1, 0), bias, made.permute(0, 2, 3, 1))
    return made


def to_larger(small: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return a transposed convolution as matrix products, one for the pixels at each place within a stride.

    Such pixels see the same elements of the kernel: each is one sum, and is rounded once.

    Args:
        small: (N, S, h, w).
        weight: (S, L, height, width), no side of it shorter than the stride.
        bias: (L,).
        size: height and width (H, W) of the result.
        stride: of the convolution.
        padding: padding that is removed from both sides of the result.

    Returns:
        (N, L, H, W), channels last.
    """
    made = _empty(small, weight.shape[1], size)
    for place in product(*map(range, stride)):
        seen = weight[:, :, place[0] :: stride[0], place[1] :: stride[1]].flip(2, 3)
        first = [(at - p) % s for at, p, s in zip(place, padding, stride, strict=True)]
        pixels = made.permute(0, 2, 3, 1)[:, first[0] :: stride[0], first[1] :: stride[1]]
        # The first of them sees positions of `small` up to this one; before and after the map there are zeros.
        last = [(f + p) // s for f, p, s in zip(first, padding, stride, strict=True)]
        before = [n - 1 - i for n, i in zip(seen.shape[2:], last, strict=True)]
        after = [i + n - m for i, n, m in zip(last, pixels.shape[1:3], small.shape[2:], strict=True)]
        patches = _patches(small, seen.shape[2:], (1, 1), before, after)
        _times(patches, seen.permute(2, 3, 0, 1), bias, pixels)
    return made


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
    patches = _patches(large, kernel, stride, padding, padding)[:, : small.shape[2], : small.shape[3]]
    n, h, w, _, width = patches.shape
    flat = small.permute(0, 2, 3, 1).reshape(n * h * w, -1).t()
    channels = large.shape[1]
    if h * w <= _WHOLE or large.is_cuda:
        found = flat @ patches.reshape(n * h * w, -1)
        return found.view(-1, *kernel, channels).permute(0, 3, 1, 2)
    row_of_each = small.new_empty((n, h, w, width))
    rows_found = small.new_empty((kernel[0], len(flat), width))
    for i, found in enumerate(rows_found):
        row_of_each.copy_(patches[:, :, :, i])
        torch.mm(flat, row_of_each.view(n * h * w, -1), out=found)
    return rows_found.view(kernel[0], len(flat), kernel[1], channels).permute(1, 3, 0, 2)


def sums(x: Tensor) -> Tensor:
    """Return the sums (C,) of the channels of x (N, C, H, W)."""
    if not x.is_cuda or x.dtype == torch.float32:
        return x.sum((0, 2, 3))
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)
    return rows.new_ones(len(rows)) @ rows  # torch's sum takes three times as long


def _empty(x: Tensor, channels: int, size: Pair) -> Tensor:
    """Return memory for (N, channels, H, W), channels last; not a view, which autograd would not let be changed."""
    shape = (len(x), channels, *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _patches(x: Tensor, kernel: Pair, stride: Pair, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """Return a view of what each position sees of x (N, C, H, W) with zeros around: (N, h, w, height, width C)."""
    rows = pad(x.permute(0, 2, 3, 1).contiguous(), (0, 0, before[1], after[1], before[0], after[0]))
    (n, *sides, channels), (image, row, column, _) = rows.shape, rows.stride()
    h, w = ((side - k) // s + 1 for side, k, s in zip(sides, kernel, stride, strict=True))
    # A patch's columns lie side by side in memory.
    return rows.as_strided(
        (n, h, w, kernel[0], kernel[1] * channels), (image, stride[0] * row, stride[1] * column, row, 1)
    )


def _times(patches: Tensor, weight: Tensor, bias: Tensor | None, made: Tensor) -> None:
    """Write patches (N, h, w, height, width C) times weight (height, width, C, D) to (N, h, w, D)."""
    rows, matrix = patches.flatten(3).flatten(0, 2), weight.flatten(0, 2)
    product = partial(torch.mm, rows, matrix) if bias is None else partial(torch.addmm, bias, rows, matrix)
    if made.is_contiguous():
        product(out=made.view(len(rows), -1))
    else:
        made.copy_(product().view(made.shape))
