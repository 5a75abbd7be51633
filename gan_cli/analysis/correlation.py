"""Rank correlation of two curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEWEST = 5  # pairs of which a correlation is computed
_RESAMPLED = 2_000
_LEVEL = 0.95


class Correlation(NamedTuple):
    """Spearman's rank correlation of n pairs, in [-1, 1], and its 95 % interval; NaN if it is not defined."""

    rho: float
    low: float
    high: float
    n: int


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the correlation of the ranks; equal values get their mean rank. NaN if x or y does not vary."""
    return float(_correlations(np.asarray(x, dtype=np.float64)[None], np.asarray(y, dtype=np.float64)[None])[0])


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Return Spearman's correlation with its percentile bootstrap interval (Efron 1979); it is the same at each call.

    The pairs are drawn as if they were independent; neighbours in one run are not, so the interval is too narrow.

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
    drawn = rng.integers(0, len(a), (_RESAMPLED, len(a)))
    found = _correlations(a[drawn], b[drawn])
    kept = found[np.isfinite(found)]
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(kept, [tail, 100 - tail]) if len(kept) else (np.nan, np.nan)
    return Correlation(spearman(a, b), float(low), float(high), len(a))


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the rank correlation (K,) of each row of x and y (K, n)."""
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (_ranks(x), _ranks(y)))
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.divide((a * b).sum(axis=1), scale, out=np.full(len(x), np.nan), where=scale > 0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks in each row; equal values get the mean of their ranks."""
    places = [row.argsort(axis=1, kind="stable").argsort(axis=1) for row in (values, values[:, ::-1])]
    return (places[0] + places[1][:, ::-1]) / 2
