"""Whether a curve of the critic follows the quality of the samples (Arjovsky et al. 2017, figures 3 and 4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from gan_cli.analysis.correlation import spearman
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, logged, panels, show_samples
from gan_cli.studies.measured import over_seeds


class FollowsQuality(Study):
    """Correlates the ranks of a curve and of a score, over all rows of a run and from the peak of the curve on.

    The claims are the names of the runs: the correlation over all rows; and `RUN from_peak`.

    Args:
        curve: a tag, such as critic/wasserstein_estimate.
        score: a tag of which lower is better, such as quality/frechet_distance_fashion_mnist.
        **arguments: those of `Study`.
    """

    def __init__(self, *, curve: str, score: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.curve = curve
        self.score = score

    def look(self, runs: Runs) -> Finding:
        """Draw the curve and the score of each run over the steps, with samples of its end."""
        measured, lines = {}, []
        for claim in self.claims:
            name, _, part = claim.partition(" from_")
            rhos = [_correlation(*logged(run, self.curve, self.score)[1:], from_peak=bool(part)) for run in runs[name]]
            measured[claim] = over_seeds(rhos, within=(-1, 1))
            lines.append(f"{claim}: rank correlation {', '.join(f'{rho:.2f}' for rho in rhos)}")
        figure, axes = panels(len(runs), 2, width=4.4, height=3.2)
        for (name, found), place, below in zip(runs.items(), axes[0], axes[1], strict=True):
            steps, curve, score = logged(found[0], self.curve, self.score)
            place.plot(steps, curve, color="#1864ab", label=self.curve)
            twin = place.twinx()
            twin.plot(steps, score, color="#e8590c")
            twin.set_ylabel(self.score, color="#e8590c", fontsize="small")
            labelled(place, name, "step")
            show_samples(below, found[0], name)
        return Finding(figure, measured, lines)


def _correlation(curve: np.ndarray, score: np.ndarray, from_peak: bool) -> float:
    begin = int(curve.argmax()) if from_peak else 0
    return spearman(curve[begin:], score[begin:])
