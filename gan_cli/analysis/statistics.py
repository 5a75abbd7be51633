"""Means over seeds, and how likely a difference of theirs is chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_CELLS = 20_000  # of the quadrature below; its error is far below any digit that is shown


def deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample (n - 1 below the line); None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def welch(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Welch's t-test (Welch 1947): equal means, unequal variances.

    Returns:
        in [0, 1]; None where a side has fewer than two values, or neither varies, so that chance cannot be told.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    if va + vb == 0:
        return None
    t = abs(float(np.mean(a)) - float(np.mean(b))) / math.sqrt(va + vb)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return two_sided(t, freedom)


def two_sided(t: float, freedom: float) -> float:
    """Return P(|T| > t) of Student's distribution.

    With T = sqrt(freedom) tan(u) its density is proportional to cos(u)^(freedom - 1) on (-pi/2, pi/2).

    Args:
        t: at least 0.
        freedom: degrees of freedom, at least 1.
    """
    begin = math.atan(t / math.sqrt(freedom))

    def area(low: float) -> float:
        width = (math.pi / 2 - low) / _CELLS
        middles = low + width * (np.arange(_CELLS) + 0.5)
        return float(np.sum(np.cos(middles) ** (freedom - 1)) * width)

    return min(1.0, area(begin) / area(0.0))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for being several (Holm 1979); None stays None."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[i] = largest
    return corrected
