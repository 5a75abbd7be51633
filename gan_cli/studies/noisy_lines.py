"""What instance noise gives and what it costs (Arjovsky and Bottou 2017, section 3)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gan_cli.api.run import Run
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import estimates, labelled, logged, panels, scores, show_samples
from gan_cli.studies.measured import difference, over_seeds
from gan_cli.studies.quadrature import divergence, gaussian

THETA, NOISE = 0.5, 0.5  # the distance of the two lines, and the noise of the run `line noise`
_SCORE = "distance/exact_w1"
_COUNT = 4096


class NoisyLines(Study):
    """Reads `line none` and `line noise`, critics of two parallel lines; and `ring STD`, GANs with that noise.

    Args:
        middle: STD of the run that is to be better than those without noise and with the largest noise.
        **arguments: those of `Study`.
    """

    def __init__(self, *, middle: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.middle = f"ring {middle}"

    def look(self, runs: Runs) -> Finding:
        """Compare divergence and gradient with quadrature, and draw the distance at the end over the noise."""
        exact, derivative = _js(THETA), (_js(THETA + 1e-4) - _js(THETA - 1e-4)) / 2e-4
        seen = {
            name: [_seen(run, NOISE * (name == "line noise")) for run in runs[name]]
            for name in ("line none", "line noise")
        }
        rings = {
            name: [float(logged(run, _SCORE)[1][-1]) for run in each]
            for name, each in runs.items()
            if name.startswith("ring")
        }
        by_noise = sorted(rings, key=lambda name: float(name.split()[1]))
        measured = {
            "gradient_none": over_seeds([abs(g) for _, g in seen["line none"]]),
            "divergence": over_seeds([js / exact for js, _ in seen["line noise"]]),
            "gradient": over_seeds([g / (2 * derivative) for _, g in seen["line noise"]]),
            "better_than_none": difference(rings[by_noise[0]], rings[self.middle]),
            "better_than_much": difference(rings[by_noise[-1]], rings[self.middle]),
        }
        figure, axes = panels(3)
        thetas = np.linspace(0, 2, 101)
        axes[0, 0].plot(thetas, [_js(t) for t in thetas], label=f"with noise of {NOISE:g}, exact")
        axes[0, 0].axhline(math.log(2), color="#c92a2a", label="without")
        axes[0, 0].plot(THETA, seen["line noise"][0][0], "o", color="black", label="trained")
        labelled(axes[0, 0], "Jensen-Shannon divergence of two lines", r"$\theta$")
        noises = [float(name.split()[1]) for name in by_noise]
        for values in zip(*(rings[name] for name in by_noise), strict=True):
            axes[0, 1].plot(noises, values, "o-")
        labelled(axes[0, 1], "W1 to the ring at the end", "deviation of the noise")
        show_samples(axes[0, 2], runs[self.middle][0], self.middle)
        return Finding(
            figure, measured, [f"{name}: W1 {', '.join(f'{v:.3f}' for v in each)}" for name, each in rings.items()]
        )


def _js(theta: float) -> float:
    """Return the divergence, with the factor 1/2, of the lines with noise: across the lines they are equal."""
    return divergence("jensen_shannon", gaussian(0.0, NOISE), gaussian(theta, NOISE)) / 2


def _seen(run: Run, noise: float) -> tuple[float, float]:
    """Return the JS estimate, and the gradient by theta of the generator's loss, on fresh points with their noise."""
    rng = np.random.default_rng(0)
    points = []
    for x in (0.0, THETA):
        clean = np.stack([np.full(_COUNT, x), rng.uniform(size=_COUNT)], axis=1)
        points.append(clean + noise * rng.normal(size=clean.shape))
    (on_real, _), (on_fake, by_x) = (scores(run, each) for each in points)
    gradient = -(by_x[:, 0] / (1 + np.exp(-on_fake))).mean()
    return estimates(run, on_real, on_fake)["js_estimate"], float(gradient)
