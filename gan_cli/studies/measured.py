"""What a study measured, with its interval, and the verdict on a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["held", "did not hold", "not decided"]
_LEVEL = 0.95


class Claim(BaseModel):
    """A claim of a paper about one number, and the range of that number in which the claim holds.

    Attributes:
        text: the claim.
        published: the paper's number, or its words.
        low: the smallest value with which the claim holds; None: there is none.
        high: the largest one.
        source: where the published number or the range comes from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(min_length=1)]
    published: float | str
    low: float | None = None
    high: float | None = None
    source: str = ""

    @property
    def tolerance(self) -> str:
        """The range, in words."""
        if self.low is None or self.high is None:
            return f"at most {self.high:g}" if self.low is None else f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


class Measured(NamedTuple):
    """A number with its 95 % interval; of a number that is exact, both ends are the number itself."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.value:.4g}"
        if not math.isfinite(self.low):
            return f"{self.value:.4g} (one seed: no interval)"
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def exact(value: float) -> Measured:
    """Return a number that does not depend on chance."""
    return Measured(value, value, value)


def over_seeds(values: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)) -> Measured:
    """Return the mean over seeds with Student's 95 % interval; the whole line for one seed.

    Args:
        values: one of each seed.
        within: the range of possible values, which cuts the interval of several seeds, such as (0, 1) of a share.
    """
    a = np.asarray(values, dtype=np.float64)
    found = _student(float(a.mean()), [a])
    return found._replace(low=max(found.low, within[0]), high=min(found.high, within[1])) if len(a) > 1 else found


def difference(a: Sequence[float], b: Sequence[float]) -> Measured:
    """Return the mean of a less the mean of b, with Welch's 95 % interval; the whole line for one seed of a side."""
    sides = [np.asarray(side, dtype=np.float64) for side in (a, b)]
    return _student(float(sides[0].mean() - sides[1].mean()), sides)


def verdict(claim: Claim, found: Measured) -> Verdict:
    """Return whether the interval lies in the claim's range, outside it, or on its edge."""
    low = -math.inf if claim.low is None else claim.low
    high = math.inf if claim.high is None else claim.high
    if low <= found.low and found.high <= high:
        return "held"
    return "did not hold" if found.high < low or found.low > high else "not decided"


def _student(value: float, sides: Sequence[np.ndarray]) -> Measured:
    if min(map(len, sides)) < 2:
        return Measured(value, -math.inf, math.inf)
    errors = [side.var(ddof=1) / len(side) for side in sides]
    total = sum(errors)
    if total == 0 or not math.isfinite(total):
        return exact(value)
    from scipy import stats

    freedom = total**2 / sum(e**2 / (len(side) - 1) for e, side in zip(errors, sides, strict=True))
    half = float(stats.t.ppf((1 + _LEVEL) / 2, freedom)) * math.sqrt(total)
    return Measured(value, value - half, value + half)
