"""The pixels as features."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gan_cli.extractors.base import Extractor, Features
from gan_cli.extractors.fashion_mnist import to_side


class Pixels(Extractor):
    """All values of the reduced image: no weights, for all images, but without knowledge of their content.

    Args:
        side: side of the reduced image, in pixels.
    """

    name = "pixels"

    def __init__(self, side: Annotated[int, Field(ge=1, le=64)] = 16) -> None:
        self.side = side

    @property
    def resize(self) -> str:
        """How images are resized first."""
        return f"to {self.side} x {self.side}, bilinear, antialiased"

    def load(self, device: torch.device) -> None:
        """Do nothing, because there is nothing to load."""

    def __call__(self, images: Tensor) -> Features:
        """Return features (N, C side^2) of images (N, C, H, W) in [-1, 1]."""
        return Features(to_side(images, self.side).flatten(1), None)
