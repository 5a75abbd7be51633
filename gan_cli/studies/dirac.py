"""Which losses and regularisers converge on the Dirac GAN (Mescheder et al. 2018, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels
from gan_cli.studies.measured import over_seeds
from gan_cli.studies.running import watched
from gan_cli.training.state import TrainState

_LAST = 0.2  # share of the steps in which the distance from the equilibrium is measured
_COLUMNS = 5


class DiracGAN(Study):
    """Real is a point at 0, the generator a point at theta, the critic psi x; each run is a claim of its name."""

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return theta and psi."""
        return {"theta": state.game.generator.mu.item(), "psi": state.game.critic.trunk.psi.item()}

    def look(self, runs: Runs) -> Finding:
        """Measure how far from (0, 0) each run is in the last fifth of its steps, and draw its path."""
        rows = -(-len(runs) // _COLUMNS)
        figure, axes = panels(_COLUMNS, rows, width=3.0, height=3.0)
        measured = {}
        for name, place in zip(runs, axes.flat, strict=False):
            paths = [np.stack([found["theta"], found["psi"]], axis=1) for found in map(watched, runs[name])]
            last = max(1, int(_LAST * len(paths[0])))
            distances = [np.linalg.norm(path[-last:], axis=1) for path in paths]
            measured[name] = over_seeds([float(d.mean()) for d in distances])
            place.plot(*paths[0].T, color="#1864ab", linewidth=0.8)
            place.plot(*paths[0][-1], "o", color="#c92a2a", markersize=5)
            place.plot(0, 0, "x", color="black")
            bound = max(1.5, 1.1 * np.abs(paths[0]).max())
            place.set(xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal")
            labelled(place, name.replace("_", " "), r"$\theta$", r"$\psi$")
        for place in axes.flat[len(runs) :]:
            place.set_axis_off()
        return Finding(figure, measured)
