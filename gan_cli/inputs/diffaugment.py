"""Differentiable augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from gan_cli.inputs.base import Input
from gan_cli.rng import Draws

Kind = Literal["color", "translation", "cutout"]


class DiffAugment(Input):
    """Random augmentation of real and generated images alike, differentiable (DiffAugment, Zhao et al. 2020).

    The transformations and their ranges are the paper's (`Color + Translation + Cutout`), drawn for every image.
    Places outside a translated image or inside a cutout are 0, mid-grey.

    Args:
        policy: the transformations, in this order.

    Raises:
        ValueError: there is no transformation, or one occurs twice.
    """

    def __init__(self, policy: tuple[Kind, ...] = ("color", "translation", "cutout")) -> None:
        if not policy or len(set(policy)) < len(policy):
            raise ValueError(f"policy={list(policy)}: at least one of color, translation and cutout, each at most once")
        self.policy = tuple(policy)

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise an error for points."""
        if len(sample_shape) != 3:
            raise ValueError(f"augments images, but the data are {sample_shape[0]}-D points: use input=none (or noise)")

    def __call__(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return the augmented images (N, C, H, W); colours may leave [-1, 1]."""
        for kind in self.policy:
            x = _TRANSFORMATIONS[kind](x, f"{stream}.{kind}", draws)
        return x


def color(x: Tensor, stream: str, draws: Draws) -> Tensor:
    """Shift the brightness by up to 0.5, scale the saturation by 0 to 2 and the contrast by 0.5 to 1.5."""
    brightness, saturation, contrast = draws.uniform(stream, len(x), 3, 1, 1, 1).unbind(dim=1)
    x = x + (brightness - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + 2 * saturation * (x - grey)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def translation(x: Tensor, stream: str, draws: Draws) -> Tensor:
    """Move each image by up to an eighth of its height and width, in whole pixels."""
    u = draws.uniform(stream, len(x), 2)
    for dim in (2, 3):
        x = _shifted(x, u[:, dim - 2], dim, furthest=int(x.shape[dim] / 8 + 0.5))
    return x


def _shifted(x: Tensor, u: Tensor, dim: int, furthest: int) -> Tensor:
    """Move image i along a dimension by a whole number in [-furthest, furthest] that u[i] in [0, 1) chooses."""
    size = x.shape[dim]
    shift = (u * (2 * furthest + 1)).long() - furthest
    source = torch.arange(size, device=x.device) - shift[:, None]
    inside = (source >= 0) & (source < size)
    along: Sequence[int] = [len(x), *(size if d == dim else 1 for d in (1, 2, 3))]
    index = source.clamp(0, size - 1).view(along).expand_as(x)
    return x.gather(dim, index) * inside.view(along)


def cutout(x: Tensor, stream: str, draws: Draws) -> Tensor:
    """Erase a rectangle of half the height and width around a random pixel of each image."""
    u = draws.uniform(stream, len(x), 2)
    hit = [_covered(u[:, i], x.shape[2 + i]) for i in (0, 1)]
    erased = hit[0][:, None, :, None] & hit[1][:, None, None, :]
    return x * ~erased


def _covered(u: Tensor, size: int) -> Tensor:
    """Return which of `size` places are in the covered half around the centre that u (N,) chooses, (N, size)."""
    length = int(size / 2 + 0.5)
    start = (u * (size + 1 - length % 2)).long() - length // 2
    place = torch.arange(size, device=u.device) - start[:, None]
    return (place >= 0) & (place < length)


_TRANSFORMATIONS = {"color": color, "translation": translation, "cutout": cutout}
