"""Images without their colours, or with nothing but their edges."""

from __future__ import annotations

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_cli.degradations.base import Degradation, luma
from gan_cli.rng import Draws


class Grey(Degradation):
    """No colours: the source of colouring."""

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return (1, H, W)."""
        channels, height, width = sample_shape
        if channels != 3:
            what = "are grey already" if channels == 1 else f"have {channels} channels, not red, green and blue"
            raise ValueError(f"the images {what}; use a dataset with colours, or another degradation")
        return 1, height, width

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the luma, by ITU-R 601."""
        return luma(x)


class Edges(Degradation):
    """Edges alone: the size of the luma's gradient by Sobel's filters, dark on white.

    Args:
        contrast: the gradient's size is multiplied by it; what is above 1 is black.
    """

    def __init__(self, contrast: PositiveFloat = 1.0) -> None:
        self.contrast = contrast

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return (1, H, W)."""
        return (1, *sample_shape[1:])

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the edges, 1 where there are none, down to -1."""
        across = x.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
        filters = torch.stack([across, across.T])[:, None]
        gradients = conv2d(pad(luma(x), (1, 1, 1, 1), mode="replicate"), filters)
        size = gradients.square().sum(dim=1, keepdim=True).sqrt()
        return 1 - 2 * (self.contrast * size).clamp(max=1)
