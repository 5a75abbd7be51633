"""The share of the variance of samples that one of their inputs explains."""

from __future__ import annotations

from torch import Tensor


def share_of(x: Tensor) -> float | None:
    """Return the share of the pictures' variance that one input explains, in [0, 1]; None if all are the same.

    It is the variance along the input, with everything else fixed, over the variance of all pictures: 1 if nothing else
    matters, 0 if the input does not matter.

    Args:
        x: (R, K, ...), K values of the input in each row, and everything else fixed in a row.
    """
    x = x.reshape(*x.shape[:2], -1).double()
    total = x.flatten(0, 1).var(dim=0, correction=0).sum()
    return float(x.var(dim=1, correction=0).mean(dim=0).sum() / total) if total > 0 else None
