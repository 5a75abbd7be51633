"""The pixels as features."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gan_cli.extractors.base import Extractor, Features
from gan_cli.extractors.fashion_mnist import to_side


class Pixels(Extractor):
    """All values of the image made smaller: no weights, any set of images, and no notion of what is in them.

    Args:
        side: in pixels, of the image made smaller.
    """

    name = "pixels"

    def __init__(self, side: Annotated[int, Field(ge=1, le=64)] = 16) -> None:
        self.side = side

    @property
    def resize(self) -> str:
        """Return what is done to the images first."""
        return f"to {self.side} x {self.side}, bilinear, antialiased"

    def load(self, device: torch.device) -> None:
        """There is nothing to load."""

    def __call__(self, images: Tensor) -> Features:
        """Return features (N, C side^2) of images (N, C, H, W) in [-1, 1]."""
        return Features(to_side(images, self.side).flatten(1), None)
