"""The limits of an axis: all values and a margin, or without rare spikes that would flatten the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

MARGIN = 0.05  # of the shown range, on each side
_OUTLIER = 3.0  # spans of the middle 96 % of the values, beyond which a value is a spike
_FEWEST = 20  # values, below which nothing counts as a spike


class Frame(NamedTuple):
    """Limits of an axis, and how many of the values lie outside."""

    low: float
    high: float
    outside: int

    @property
    def remark(self) -> str:
        """What a reader must know of it; '' if all values are inside."""
        values = "1 value is" if self.outside == 1 else f"{self.outside} values are"
        return f"{values} outside the frame" if self.outside else ""


def frame(values: Iterable[float]) -> Frame:
    """Return the frame of values; those that are not finite do not count."""
    every = np.asarray(list(values), dtype=np.float64)
    every = every[np.isfinite(every)]
    if not len(every):
        return Frame(0.0, 1.0, 0)
    low, high = float(every.min()), float(every.max())
    if len(every) >= _FEWEST:
        first, last = np.percentile(every, [2, 98])
        span = last - first
        if span and (low < first - _OUTLIER * span or high > last + _OUTLIER * span):
            low, high = max(low, first - span / 2), min(high, last + span / 2)
    margin = MARGIN * (high - low) or MARGIN * abs(high) or 1.0
    low, high = low - margin, high + margin
    return Frame(low, high, int(((every < low) | (every > high)).sum()))
