"""Warns of a critic that gives all samples the same score."""

from __future__ import annotations

from collections.abc import Callable

from gan_cli.training.probes import Row
from gan_cli.training.state import TrainState

ROWS = 20  # in a row, before a warning
FLAT_SHARE = 1e-4  # of the largest deviation in this session
ROUNDING = 1e-5  # of the scores themselves: a hundred times float32's own rounding of them
VANISHED = 1e-8  # the optimizers' eps: such scores move no generator
SATURATED = 0.99

Warn = Callable[[int, str, str], None]


class CriticWatch:
    """Warns of a collapsed critic, once an episode; costs nothing, as it reads rows that are logged anyway.

    A row is unwell where `critic/score_std`, the deviation of the scores over real and fake samples together, is at
    most the largest of 1e-8, 1e-5 of the mean scores and 1e-4 of the largest deviation in this session (every sample
    gets one score), or where `critic/clip_saturation` is above 0.99 (hardly a weight can move). After 20 such rows in
    a row the critic is called collapsed; a sound row ends the episode. Small scores alone are no symptom: those of a
    clipped critic begin below 1e-3. The session's first row does not count as the largest: in a new run it begins with
    a critic that no constraint has met yet, whose scores may be a thousand times larger.

    Args:
        warn: takes the step, the name of the problem and the reason.
        clip: the bound of the weights, which a message names; None: there is none.
    """

    def __init__(self, warn: Warn, clip: float | None = None) -> None:
        self.warn = warn
        self.bound = f"a larger constraint.c (now {clip}), " if clip is not None else ""
        self._largest: float | None = None
        self._rows = {"flat": 0, "saturated": 0}

    def __call__(self, state: TrainState, row: Row) -> Row:
        """Read a row of means and probes; nothing is added to it."""
        self._count(state.step, "flat", self._flat(row))
        self._count(state.step, "saturated", _saturated(row))
        return {}

    def _flat(self, row: Row) -> str:
        """Say how the scores of this row are all alike; empty where they are not, or where there are none."""
        if "critic/score_std" not in row:
            return ""
        deviation = row["critic/score_std"]
        self._largest = 0.0 if self._largest is None else max(self._largest, deviation)
        size = max(abs(row.get(f"critic/score_{kind}", 0.0)) for kind in ("real", "fake"))
        if deviation > max(VANISHED, ROUNDING * size, FLAT_SHARE * self._largest):
            return ""
        return f"all samples get the same score (critic/score_std {deviation:.2g}, at most {self._largest:.2g} before)"

    def _count(self, step: int, kind: str, symptom: str) -> None:
        self._rows[kind] = self._rows[kind] + 1 if symptom else 0
        if self._rows[kind] == ROWS:
            self.warn(
                step,
                "collapsed critic",
                f"{symptom}, for {ROWS} rows: try {self.bound}a smaller optimizer.critic.lr, or another "
                f"constraint (see `gan list constraint`)",
            )


def _saturated(row: Row) -> str:
    """Say how many weights cannot move; empty where enough can, or nothing bounds them."""
    saturation = row.get("critic/clip_saturation", 0.0)
    return f"{saturation:.1%} of its weights are at their bound" if saturation > SATURATED else ""
