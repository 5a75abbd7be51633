"""Images with a hole."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from gan_cli.degradations.base import Degradation
from gan_cli.rng import Draws


class Mask(Degradation):
    """A hole: the source of inpainting (Pathak et al. 2016, Context Encoders).

    A source has the image with 0, mid-grey, in the hole, and one more channel, which is 1 in the hole and -1 outside.
    What is outside the hole stays as it was in the restored image.

    Args:
        region: `centre`: a square (rectangle) in the middle; `boxes`: one at a random place in each image; `half`: the
            right half.
        share: the hole's side as a share of the image's; without effect for `half`.
    """

    leaves_holes = True
    baseline = "each hole filled with the mean colour around it"

    def __init__(
        self, region: Literal["centre", "boxes", "half"] = "centre", share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    ) -> None:
        self.region, self.share = region, share

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return (C + 1, H, W)."""
        channels, height, width = super().source_shape(sample_shape)
        return channels + 1, height, width

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the images with their holes."""
        return with_hole(x, self._hole(x, draws))

    def _hole(self, x: Tensor, draws: Draws) -> Tensor:
        """Return where the holes are, (N, 1, H, W)."""
        if self.region == "half":
            right = torch.arange(x.shape[3], device=x.device) >= x.shape[3] // 2
            return right.expand(len(x), 1, x.shape[2], -1)
        at = draws.uniform("degradation", len(x), 2) if self.region == "boxes" else x.new_full((len(x), 2), 0.5)
        rows, columns = (self._inside(at[:, i], size) for i, size in enumerate(x.shape[2:]))
        return (rows[:, :, None] & columns[:, None, :])[:, None]

    def _inside(self, at: Tensor, size: int) -> Tensor:
        """Return which of `size` places are in the hole, (N, size); at (N,) in [0, 1) says where it begins."""
        side = max(1, round(self.share * size))
        start = (at * (size - side + 1)).long()
        place = torch.arange(size, device=at.device) - start[:, None]
        return (place >= 0) & (place < side)

    def completed(self, output: Tensor, source: Tensor) -> Tensor:
        """Return the output in the hole, and the source around it."""
        return torch.where(source[:, -1:] > 0, output, source[:, :-1])

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
        """Return the source with its hole in the mean colour of the rest."""
        known = (source[:, -1:] < 0).to(source.dtype)
        mean = (source[:, :-1] * known).sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        return self.completed(mean.expand_as(source[:, :-1]), source)


def with_hole(x: Tensor, hole: Tensor) -> Tensor:
    """Return sources (N, C + 1, H, W) of images x (N, C, H, W) with holes (N, 1, H, W), which are true there."""
    return torch.cat([torch.where(hole, 0.0, x), torch.where(hole, 1.0, -1.0)], dim=1)
