"""Layers for several network families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_cli.core.shapes import Sides

Norm = Literal["auto", "batch", "layer", "instance", "none"]
FlatNorm = Literal["batch", "layer", "none"]


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Return the normalisation of (N, channels, H, W); `auto` that is not resolved is batch."""
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity() if norm == "none" else nn.BatchNorm2d(channels)


def flat_normalisation(norm: FlatNorm, units: int) -> list[nn.Module]:
    """Return the normalisation of (N, units), or no layer for `none`."""
    return [] if norm == "none" else [nn.LayerNorm(units) if norm == "layer" else nn.BatchNorm1d(units)]


def norms_of(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms of a network that keep running statistics."""
    found = (m for m in network.modules() if isinstance(m, _BatchNorm))
    return [norm for norm in found if norm.running_mean is not None]


def map_sizes(sides: Sides) -> list[Sides]:
    """Return the sides of feature maps, about doubling, from the one whose smaller side is 4 to 7 to the images'.

    Raises:
        ValueError: the images are so small that nothing is doubled.
    """
    if min(sides) < 8:
        raise ValueError(f"images of {sides[0]} x {sides[1]} have fewer than 8 pixels a side: model=toy_mlp")
    sizes = [sides]
    while min(sizes[0]) >= 8:
        height, width = sizes[0]
        sizes.insert(0, ((height + 1) // 2, (width + 1) // 2))
    return sizes


def halved(sides: Sides, times: int) -> Sides:
    """Return the sides of a map after some halvings, each of which leaves out an odd row or column."""
    height, width = sides
    return height // 2**times, width // 2**times


def channels_and_sides(sample_shape: tuple[int, ...]) -> tuple[int, Sides]:
    """Return C and (H, W) of images (C, H, W).

    Raises:
        ValueError: the samples are points.
    """
    if len(sample_shape) != 3:
        raise ValueError(f"convolutions need images, the data are {sample_shape[0]}-D points: model=toy_mlp")
    channels, height, width = sample_shape
    return channels, (height, width)


class SelfAttention(nn.Module):
    """Self-attention of a feature map (Zhang et al. 2019, SAGAN, equations 1 to 3): x + gamma o; gamma starts at 0.

    Keys and values are pooled to a quarter, as in the authors' code; the printed equations have no pooling.

    Args:
        channels: of the feature map; queries and keys have an eighth of them, values a half.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map with the shape of x (N, C, H, W)."""
        pool = nn.functional.max_pool2d
        query = self.query(x).flatten(2)
        key, value = pool(self.key(x), 2).flatten(2), pool(self.value(x), 2).flatten(2)
        weights = (query.transpose(1, 2) @ key).softmax(dim=2)  # written out: fused attention has no second derivative
        attended = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.output(attended)


class MinibatchDiscrimination(nn.Module):
    """How near a sample's features are to those of the rest of its batch (Salimans et al. 2016, section 3.2).

    o_b = sum over the other samples of exp(-|M_b - M'_b|_1), M = T f; the o_b follow the features f.

    Args:
        n_features: F.
        kernels: B, numbers b.
        size: C, of each row M_b that is compared.
    """

    def __init__(self, n_features: int, kernels: int, size: int = 16) -> None:
        super().__init__()
        self.kernels, self.size = kernels, size
        self.linear = nn.Linear(n_features, kernels * size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, F + B) for features (N, F) of the samples of one kind."""
        m = self.linear(features).unflatten(1, (self.kernels, self.size))
        near = torch.exp(-(m[:, None] - m).abs().sum(dim=3)).sum(dim=1) - 1  # the sample itself
        return torch.cat([features, near], dim=1)


def attend(attention: int | None, sides: Sides, channels: int) -> list[nn.Module]:
    """Return the attention layer after a feature map of this size, or no layer if attention is for another size."""
    return [SelfAttention(channels)] if attention == min(sides) else []


def check_attention(attention: int | None, maps: Sequence[Sides]) -> None:
    """Raise an error if no feature map has the size `attention`, which is its smaller side.

    Raises:
        ValueError: `attention` is none of the sizes.
    """
    sizes = {min(sides) for sides in maps}
    if attention is not None and attention not in sizes:
        known = ", ".join(map(str, sorted(sizes)))
        raise ValueError(f"attention={attention}: no feature map has this size; use one of {known}, or null")
