"""What each divergence sees of two parallel lines theta apart (Arjovsky et al. 2017, example 1 and figure 1)."""

from __future__ import annotations

import math

import numpy as np

from gan_cli.api.run import Run
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import estimates, labelled, panels, scores
from gan_cli.studies.measured import over_seeds

_HEIGHTS = (np.arange(1000) + 0.5) / 1000
_LAMBDA = 10  # of the gradient penalty
TAGS = {
    "wgan_gp": "wasserstein_estimate",
    "gan": "js_estimate",
    "tv": "f_divergence_bound",
    "kl": "f_divergence_bound",
}


class ParallelLines(Study):
    """Reads runs `LOSS THETA` of the losses in TAGS, whose generators make the line at theta and do not move."""

    def look(self, runs: Runs) -> Finding:
        """Compare the trained estimates and their gradients by theta with the exact values."""
        thetas = sorted({float(name.split()[1]) for name in runs})
        at = {
            loss: np.array([[_estimate(run, theta, tag) for run in _of(runs, loss, theta)] for theta in thetas])
            for loss, tag in TAGS.items()
        }  # (thetas, seeds, estimate and gradient by theta)
        size = np.abs(thetas)[:, None]
        w, w_gradient = at["wgan_gp"][..., 0], at["wgan_gp"][..., 1] * np.sign(thetas)[:, None]
        growth = [[_second_half(run) for run in _of(runs, "kl", theta)] for theta in thetas]
        measured = {
            "wasserstein": over_seeds(np.abs(w / (size * (1 + size / (2 * _LAMBDA))) - 1).max(axis=0)),
            "wasserstein_gradient": over_seeds(w_gradient.min(axis=0)),
            "js": over_seeds(at["gan"][..., 0].min(axis=0)),
            "js_gradient": over_seeds(np.abs(at["gan"][..., 1]).max(axis=0)),
            "tv": over_seeds(at["tv"][..., 0].min(axis=0)),
            "kl": over_seeds(np.min(growth, axis=0)),
        }
        figure, ((left, right),) = panels(2, width=5.0)
        line = np.linspace(-1, 1, 201)
        left.plot(line, np.abs(line), color="#1864ab", label=r"exact, $|\theta|$")
        right.plot(line, np.where(line == 0, 0, math.log(2)), color="#c92a2a", label="JS, exact: log 2")
        right.plot(line, np.where(line == 0, 0, 1), color="#e8590c", label="total variation, exact: 1")
        for axes, loss, colour, label in (
            (left, "wgan_gp", "#1864ab", "trained critic, gradient penalty"),
            (right, "gan", "#c92a2a", "trained discriminator"),
            (right, "tv", "#e8590c", "trained bound"),
        ):
            axes.plot(thetas, at[loss][..., 0], "o", color=colour, markersize=5)
            axes.plot([], [], "o", color=colour, label=label)
        labelled(left, "Wasserstein distance", r"$\theta$")
        labelled(right, "Jensen-Shannon divergence and total variation", r"$\theta$")
        return Finding(figure, measured, numbers={"thetas": thetas, **{k: v.tolist() for k, v in at.items()}})


def _of(runs: Runs, loss: str, theta: float) -> list[Run]:
    return [
        run
        for name, found in runs.items()
        if name.split()[0] == loss and float(name.split()[1]) == theta
        for run in found
    ]


def _estimate(run: Run, theta: float, tag: str) -> tuple[float, float]:
    """Return a run's estimate, and the gradient by theta of the same with the critic held still."""
    real, fake = (np.stack([np.full(len(_HEIGHTS), x), _HEIGHTS], axis=1) for x in (0.0, theta))
    (on_real, _), (on_fake, by_x) = scores(run, real), scores(run, fake)
    h = 1e-3
    ahead, behind = (estimates(run, on_real, on_fake + sign * h * by_x[:, 0])[tag] for sign in (1, -1))
    return estimates(run, on_real, on_fake)[tag], (ahead - behind) / (2 * h)


def _second_half(run: Run) -> float:
    """Return by how much the bound grows in the second half of the training."""
    bound = run.metrics["critic/f_divergence_bound"]
    return float(bound[-1] - bound[(len(bound) - 1) // 2])
