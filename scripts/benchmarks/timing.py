"""Things that take turns under one clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def in_turn(
    calls: Mapping[str, Callable[[], object]], rounds: int, repeats: int = 1, warm: bool = True
) -> dict[str, list[float]]:
    """Time calls A B A B.

    Args:
        calls: by name.
        rounds: measurements of each.
        repeats: calls a measurement.
        warm: call each once beforehand, untimed.

    Returns:
        Seconds a call: `rounds` values for each.
    """
    for call in calls.values() if warm else ():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(lambda call=call: [call() for _ in range(repeats)]) / repeats)
    return seconds


def median_ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the ratios of measurements that were neighbours."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return each one's median."""
    return {name: statistics.median(values) for name, values in seconds.items()}
