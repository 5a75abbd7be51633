"""Shapes of samples: the sides of images, and what a shape says of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

Side = Annotated[int, Field(ge=8, le=1024, examples=[64])]
ImageSize = Side | tuple[Side, Side]  # of a square, or height and width
Sides = tuple[int, int]  # height and width


def sides_of(image_size: ImageSize) -> Sides:
    """Return height and width."""
    return (image_size, image_size) if isinstance(image_size, int) else (image_size[0], image_size[1])


def is_toy(sample_shape: Sequence[int]) -> bool:
    """Return whether samples are points of at most three dimensions, for which papers have settings of their own."""
    return len(sample_shape) == 1 and sample_shape[0] <= 3
