"""What the shape of a sample says of the data."""

from __future__ import annotations

from collections.abc import Sequence

Sides = tuple[int, int]  # height and width


def is_toy(sample_shape: Sequence[int]) -> bool:
    """Return whether samples are points of at most three dimensions, for which papers have settings of their own."""
    return len(sample_shape) == 1 and sample_shape[0] <= 3
