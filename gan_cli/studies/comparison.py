"""Runs side by side: a score at their ends, its curve, and their samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, logged, panels, show_samples
from gan_cli.studies.measured import Measured, difference, over_seeds


class Comparison(Study):
    """Compares a logged score of runs at their ends; each claim is a difference of two of them, or a value of one.

    Args:
        score: a tag of metrics.jsonl, such as quality/modes.
        compare: for each claim `[RUN, OTHER]`, the first less the second, or `[RUN]`, its value.
        last: rows over which the score of a run is averaged.
        show: what the figure shows beside the curves: samples (of images or points), or nothing.
        **arguments: those of `Study`.
    """

    def __init__(
        self,
        *,
        score: str,
        compare: dict[str, list[str]],
        last: int = 1,
        show: Literal["samples", "nothing"] = "samples",
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.score = score
        self.compare = compare
        self.last = last
        self.show = show

    def look(self, runs: Runs) -> Finding:
        """Compare the scores; draw the score's curves, the mean over seeds, and samples of the first seed."""
        curves = {name: [logged(run, self.score) for run in found] for name, found in runs.items()}
        ends = {name: [float(values[-self.last :].mean()) for _, values in found] for name, found in curves.items()}
        measured = {claim: self._measured([ends[name] for name in names]) for claim, names in self.compare.items()}
        shown = [] if self.show == "nothing" else [*runs]
        figure, axes = panels(1 + len(shown), width=3.4, height=3.6)
        first = axes[0, 0]
        for name, found in curves.items():
            steps = found[0][0]
            first.plot(steps, np.mean([values for _, values in found], axis=0), label=name)
        labelled(first, self.score, "step")
        for name, place in zip(shown, axes[0, 1:], strict=True):
            show_samples(place, runs[name][0], name)
        lines = [f"{name}: {self.score} {', '.join(f'{end:.4g}' for end in found)}" for name, found in ends.items()]
        return Finding(figure, measured, lines, {"ends": ends})

    def _measured(self, sides: Sequence[Sequence[float]]) -> Measured:
        return over_seeds(sides[0]) if len(sides) == 1 else difference(*sides)
