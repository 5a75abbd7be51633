"""Helpers of the distances between feature sets."""

from __future__ import annotations

from torch import Tensor


def require_pair(a: Tensor, b: Tensor, least: int) -> None:
    """Check that there are features (N, F) and (M, F), at least `least` of each.

    Raises:
        ValueError: other shapes, or fewer features.
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"features {shapes} must be (N, F) and (M, F), at least {least} of each")
