"""An optimal discriminator and an optimal critic of two Gaussians (Arjovsky et al. 2017, figure 2)."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels, scores
from gan_cli.studies.measured import over_seeds

REAL_MEAN, FAKE_MEAN = -3.0, 3.0
_X = np.linspace(-7, 7, 281)[:, None]


class TwoGaussians(Study):
    """Reads the runs `gan`, `wgan` (clipped) and `wgan_gp`, whose generators make N(3, 1) and do not move."""

    def look(self, runs: Runs) -> Finding:
        """Compare the gradients that the critics give where there are fakes."""
        at = {name: [scores(run, _X) for run in found] for name, found in runs.items()}
        between = np.abs(_X[:, 0]) <= 5
        fakes = np.abs(_X[:, 0] - FAKE_MEAN) <= 2
        weights = np.exp(-((_X[:, 0] - FAKE_MEAN) ** 2) / 2)
        weights /= weights.sum()
        measured = {
            "discriminator_error": over_seeds([_at(s, REAL_MEAN, -1) + _at(s, FAKE_MEAN, 1) for s, _ in at["gan"]]),
            "discriminator_gradient": over_seeds([np.abs(expit(s) * g[:, 0])[fakes].max() for s, g in at["gan"]]),
            "generator_gradient": over_seeds([abs(weights @ (expit(s) * g[:, 0])) for s, g in at["gan"]]),
            "clipped_flatness": over_seeds([_flatness(g[between]) for _, g in at["wgan"]]),
            "penalised_flatness": over_seeds([_flatness(g[between]) for _, g in at["wgan_gp"]]),
            "penalised_gradient": over_seeds([-float(weights @ g[:, 0]) for _, g in at["wgan_gp"]]),
        }
        figure, ((left, right),) = panels(2, width=5.4)
        for mean, colour, label in (
            (REAL_MEAN, "#1864ab", "density of real"),
            (FAKE_MEAN, "#2b8a3e", "density of fake"),
        ):
            for axes in (left, right):
                axes.plot(_X, np.exp(-((_X - mean) ** 2) / 2) / np.sqrt(2 * np.pi), color=colour, label=label)
        first = {name: found[0] for name, found in at.items()}
        left.plot(_X, expit(first["gan"][0]), color="#c92a2a", label="GAN discriminator D(x)")
        for name, label, colour in (
            ("wgan", "WGAN critic, clipped", "#e8590c"),
            ("wgan_gp", "with gradient penalty", "#0b7285"),
        ):
            score = first[name][0]
            centred = score - score.mean()
            left.plot(_X, centred / np.abs(centred).max(), color=colour, label=f"{label}, scaled")
        labelled(left, "Discriminator and critics", "$x$")
        right.semilogy(_X, np.abs(expit(first["gan"][0]) * first["gan"][1][:, 0]), color="#c92a2a", label="log(1 - D)")
        for name, label, colour in (
            ("wgan", "critic, clipped", "#e8590c"),
            ("wgan_gp", "with gradient penalty", "#0b7285"),
        ):
            norms = np.abs(first[name][1][:, 0])
            right.semilogy(_X, norms / norms.max(), color=colour, label=f"{label}, scaled")
        labelled(right, "Gradient by x of what the generator minimises", "$x$")
        right.set_ylim(1e-8, 5)
        return Finding(figure, measured)


def _at(score: np.ndarray, x: float, sign: int) -> float:
    """Return the share by which a discriminator is wrong about x; sign: 1 for a fake."""
    return float(expit(sign * score[np.abs(_X[:, 0] - x).argmin()]))


def _flatness(gradient: np.ndarray) -> float:
    """Return the smallest gradient norm over the largest: 1 for a straight line."""
    norms = np.abs(gradient[:, 0])
    return float(norms.min() / norms.max())
