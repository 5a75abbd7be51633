"""Statistics over seeds: standard deviation, Welch's t-test, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample (with n - 1); None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def welch(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Welch's t-test (Welch 1947): equal means, unequal variances.

    Returns:
        the p-value in [0, 1]; None if a side has fewer than two values, or if neither varies, so that there is no test.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    sides = [(np.mean(side), np.std(side, ddof=1), len(side)) for side in (a, b)]
    if not any(spread for _, spread, _ in sides):
        return None
    from scipy import stats

    return float(stats.ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for multiple tests (Holm 1979); None stays None."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[i] = largest
    return corrected
