"""How much of the variation of samples one of their inputs explains."""

from __future__ import annotations

from torch import Tensor


def share_of(x: Tensor) -> float | None:
    """Return how much of the variance of pictures one input makes, in [0, 1]; None where all are the same.

    The variance along the input, with everything else held, over the variance of all pictures: 1 where nothing else
    matters, 0 where the input does not.

    Args:
        x: (R, K, ...) a row for each of everything else, K values of the input.
    """
    x = x.reshape(*x.shape[:2], -1).double()
    total = x.flatten(0, 1).var(dim=0, correction=0).sum()
    return float(x.var(dim=1, correction=0).mean(dim=0).sum() / total) if total > 0 else None
