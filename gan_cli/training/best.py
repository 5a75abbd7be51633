"""The best value of a curve so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from gan_cli.core.text import did_you_mean
from gan_cli.training.phases import Logs
from gan_cli.training.probes import Row
from gan_cli.training.state import TrainState


class Best:
    """Watches one tag of the rows and knows its best value so far, and the step of that row.

    Only rows of whole log intervals count: one that the end of the run cut short is written again when the run
    continues, and what is best must not depend on where it was stopped. A value that is not finite is never the best,
    and an equal one does not replace an earlier one.

    Args:
        tag: of metrics.jsonl.
        best_is: the largest value or the smallest.
        every_steps: steps a row.
        all_tags_every_steps: at whose multiples every tag has been in a row, those of samples too.
        row: returns the newest row.
        warn: called once if no row has the tag.
    """

    def __init__(
        self,
        tag: str,
        best_is: Literal["max", "min"],
        every_steps: int,
        all_tags_every_steps: int,
        row: Callable[[], Row],
        warn: Callable[[str], None],
    ) -> None:
        self.tag = tag
        self.best_is = best_is
        self.every_steps = every_steps
        self.all_tags_every_steps = all_tags_every_steps
        self.row = row
        self.warn = warn
        self.value: float | None = None
        self.step: int | None = None
        self._tags: set[str] = set()
        self._due: int | None = None  # the step by which the tag is expected; None: it came, or a warning was given

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """See whether the row of this step, if it has one, holds a better value."""
        if not logs:
            every = self.all_tags_every_steps
            self._due = (state.step // every + 1) * every if self.step is None else None
            return
        whole, last = state.step % self.every_steps == 0, state.step == state.total_steps
        if not whole and not last:
            return
        row = self.row()
        if self.tag in row:
            self._due = None
            if whole and self._better(row[self.tag]):
                self.value, self.step = row[self.tag], state.step
        self._tags |= row.keys()
        if self._due is not None and (state.step >= self._due or last):
            self._due = None
            hint = did_you_mean(self.tag, self._tags, "checkpoint.best=")
            self.warn(
                f"checkpoint.best={self.tag}: no row up to step {state.step} has this tag, and nothing is saved as the "
                f"best until one has{hint}; tags of the rows: {', '.join(sorted(self._tags))}"
            )

    def meta(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: {"best": {...}}, or {} as long as there is no value."""
        if self.step is None:
            return {}
        return {"best": {"tag": self.tag, "is": self.best_is, "value": self.value, "step": self.step}}

    def load(self, meta: Mapping[str, Any]) -> None:
        """Go on from what `meta` returned; from nothing if that was of another tag or direction."""
        best = meta.get("best")
        if not isinstance(best, dict) or (best.get("tag"), best.get("is")) != (self.tag, self.best_is):
            return
        value, step = best.get("value"), best.get("step")
        if type(value) is float and math.isfinite(value) and type(step) is int:
            self.value, self.step = value, step

    def _better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.value is None:
            return True
        return value > self.value if self.best_is == "max" else value < self.value
