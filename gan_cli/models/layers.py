"""Pieces that several networks share."""

from __future__ import annotations

from typing import Literal

from torch import nn

Norm = Literal["auto", "batch", "layer", "instance", "none"]


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Return the normalisation of (N, channels, H, W); `auto` is batch where nobody decided otherwise."""
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity() if norm == "none" else nn.BatchNorm2d(channels)


def init_normal_(module: nn.Module) -> None:
    """Draw weights as DCGAN does (Radford et al. 2016, section 4): N(0, 0.02); batch-norm scales N(1, 0.02)."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)


def image_sizes(size: int) -> list[int]:
    """Return the side lengths from the smallest feature map (4 to 7) to `size`, about doubling."""
    sizes = [size]
    while sizes[0] >= 8:
        sizes.insert(0, (sizes[0] + 1) // 2)
    return sizes
