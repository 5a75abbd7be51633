"""Whether two curves rise and fall together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEWEST = 5  # pairs of which a correlation is told
_RESAMPLED = 1_000
_LEVEL = 0.95


class Correlation(NamedTuple):
    """Spearman's rank correlation of n pairs, in [-1, 1], and its 95 % interval; NaN where there is none."""

    rho: float
    low: float
    high: float
    n: int


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the correlation of the ranks, equal values sharing their mean rank; NaN where either does not vary."""
    a, b = _ranks(x), _ranks(y)
    if not len(a) or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Return Spearman's correlation with its percentile bootstrap interval (Efron 1979), the same each time.

    The pairs are drawn as if they were independent; neighbours along one run are not, so the interval is a narrow one.

    Args:
        x: n finite values.
        y: n finite values.

    Returns:
        None for fewer than FEWEST pairs.
    """
    if len(x) < FEWEST:
        return None
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    rng = np.random.default_rng(0)
    drawn = [spearman(a[i], b[i]) for i in rng.integers(0, len(a), (_RESAMPLED, len(a)))]
    kept = [rho for rho in drawn if np.isfinite(rho)]
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(kept, [tail, 100 - tail]) if kept else (np.nan, np.nan)
    return Correlation(spearman(a, b), float(low), float(high), len(a))


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse.ravel()]
