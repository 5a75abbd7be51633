"""A Gaussian that learns a mixture of two under each f-divergence (Nowozin et al. 2016, table 2 and figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gan_cli.core.text import columns
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels
from gan_cli.studies.measured import over_seeds
from gan_cli.studies.quadrature import X, best_gaussian, divergence, gaussian, mixture
from gan_cli.studies.running import watched
from gan_cli.training.state import TrainState

_LAST = 0.25  # share of the steps over which mu and sigma are averaged


class LineTable(Study):
    """Reads a run for each divergence, by its name in `quadrature`; the claims are these, and `own` of the table."""

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return mu and |sigma|."""
        return {"mu": state.game.generator.mu.item(), "sigma": abs(state.game.generator.sigma.item())}

    def look(self, runs: Runs) -> Finding:
        """Compare what was learned with the optimum of each divergence by quadrature."""
        learned = {name: np.array([_mean(watched(run)) for run in found]) for name, found in runs.items()}  # (seeds, 2)
        best = {name: best_gaussian(name) for name in runs}
        errors = {name: np.abs(found - best[name][1:]).max(axis=1) for name, found in learned.items()}
        measured = {name: over_seeds(error) for name, error in errors.items()}
        tables = [
            _table({name: found[i] for name, found in learned.items()})
            for i in range(len(next(iter(learned.values()))))
        ]
        measured["own"] = over_seeds([float((table.argmin(axis=0) == np.arange(len(table))).sum()) for table in tables])
        figure, ((axes,),) = panels(1, width=7.0, height=4.2)
        axes.plot(X, np.exp(mixture(X)), color="black", linewidth=2, label="data")
        for name, found in learned.items():
            axes.plot(X, np.exp(gaussian(*found[0])(X)), label=name.replace("_", " "))
        axes.set_xlim(-6, 9)
        labelled(axes, "Gaussians learned under each divergence", "$x$", "density")
        heads = ["trained by", "mu", "(best)", "sigma", "(best)", *runs]
        rows = [
            [name, *(f"{v:.4f}" for pair in zip(learned[name].mean(axis=0), best[name][1:], strict=True) for v in pair)]
            + [f"{value:.4f}" for value in np.mean([table[i] for table in tables], axis=0)]
            for i, name in enumerate(runs)
        ]
        return Finding(
            figure, measured, ["Divergence of each learned Gaussian, by quadrature:", *columns([heads, *rows])]
        )


def _mean(path: Mapping[str, np.ndarray]) -> np.ndarray:
    last = max(1, int(_LAST * len(path["mu"])))
    return np.array([path["mu"][-last:].mean(), path["sigma"][-last:].mean()])


def _table(learned: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the divergence of each learned Gaussian (row) by each name (column)."""
    return np.array(
        [[divergence(column, mixture, gaussian(*found)) for column in learned] for found in learned.values()]
    )
