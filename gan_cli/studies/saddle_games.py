"""Two numbers that play V(x, y) by gradient steps (Nowozin et al. 2016, theorem 2; Goodfellow 2016, section 8.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gan_cli.api.run import Run
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels
from gan_cli.studies.measured import exact
from gan_cli.studies.running import watched
from gan_cli.training.state import TrainState


class SaddleGames(Study):
    """Measures the factor by which a step changes the distance from the saddle point, or |gradient|^2 / 2 (`rate`).

    A claim's name is that of its run, with `_rate` behind it for |gradient|^2 / 2.
    """

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return x and y."""
        return {"x": state.game.generator.mu.item(), "y": state.game.critic.trunk.y.item()}

    def look(self, runs: Runs) -> Finding:
        """Return each run's factor of a step, in the geometric mean over all steps; no seed changes it."""
        paths = {
            name: [np.stack([(p := watched(run))["x"], p["y"]], axis=1) for run in found]
            for name, found in runs.items()
        }
        measured = {}
        for claim in self.claims:
            name = claim.removesuffix("_rate")
            if claim == name:
                measured[claim] = exact(_factor(_area(paths[name][0])) ** 0.5)
            else:
                measured[claim] = exact(_factor(_squared_gradient(runs[name][0], paths[name][0])))
        figure, ((left, right),) = panels(2, width=5.0, height=4.2)
        for name, found in paths.items():
            left.plot(*found[0].T, label=name.replace("_", " "), linewidth=1)
            right.semilogy(np.linalg.norm(found[0], axis=1), label=name.replace("_", " "))
        left.plot(0, 0, "x", color="black")
        left.set_aspect("equal", adjustable="datalim")
        labelled(left, "Paths", "$x$", "$y$")
        labelled(right, "Distance from the saddle point", "step")
        return Finding(figure, measured)


def _area(path: np.ndarray) -> np.ndarray:
    """Return twice the area of the triangle of 0 and two successive points: for a linear turn it shrinks evenly."""
    return np.abs(path[:-1, 0] * path[1:, 1] - path[:-1, 1] * path[1:, 0])


def _squared_gradient(run: Run, path: np.ndarray) -> np.ndarray:
    d, power = (run.config.loss.arguments.get(key, default) for key, default in (("d", 0.0), ("power", 1)))
    x, y = path.T
    return ((y**power + d * x) ** 2 + (power * x * y ** (power - 1) - d * y) ** 2) / 2


def _factor(values: np.ndarray) -> float:
    """Return the factor from one value to the next, in the geometric mean."""
    if len(values) < 2:
        return float("nan")
    return float((values[-1] / values[0]) ** (1 / (len(values) - 1)))
