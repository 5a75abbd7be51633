"""Distances between two sets of samples as a trained critic measures them."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.core.curves import Curve, is_estimate
from gan_cli.data.source import Batch
from gan_cli.rng import Draws
from gan_cli.training.game import Game
from gan_cli.training.probes import buffers_kept

CURVES = (
    Curve(
        "distance/critic_estimate",
        "score",
        "lower",
        "the critic's estimate on the samples that exact_w1 uses",
        chart=("Other distances", "the critic's estimate in an evaluation"),
    ),
    Curve(
        "distance/critic_lipschitz",
        "score/distance",
        "neither",
        "the largest gradient norm of the critic at points between these samples",
        chart=("Other distances", "the critic's Lipschitz constant in an evaluation"),
    ),
    Curve(
        "distance/critic_estimate_over_lipschitz",
        "distance",
        "lower",
        "their ratio, to compare with exact_w1",
        chart=("Other distances", "exact W1, and the critic's estimate over K"),
    ),
)


class CriticDistance(NamedTuple):
    """The result of `critic_distance`.

    Attributes:
        estimate: E f(real) - E f(fake), K times a lower bound of W1 for a K-Lipschitz f.
        lipschitz: the largest gradient norm found between real and fake, a lower bound of K.
    """

    estimate: float
    lipschitz: float

    @property
    def normalised(self) -> float:
        """The ratio estimate / lipschitz, in units of distance; NaN for a critic whose gradient is 0."""
        return self.estimate / self.lipschitz if self.lipschitz > 0 else float("nan")


def critic_distance(game: Game, real: Batch, fake: Batch, draws: Draws) -> CriticDistance | None:
    """Measure the distance with the critic in train mode; its buffers do not change. None: it estimates no distance.

    Args:
        game: has the critic.
        real: N samples, with labels if the game uses them.
        fake: N samples, likewise.
        draws: the streams `input` and `segment` are used.
    """
    if not game.loss.integral_probability_metric or not game.loss.critic_plays:
        return None
    with buffers_kept(game):
        real, fake = game.shown(real, "real", draws), game.shown(fake, "fake", draws)
        with torch.no_grad():
            on_real, on_fake = game.ask(*real), game.ask(*fake)
            found = game.loss.estimates(on_real, on_fake).items()
            estimate = next((value for name, value in found if is_estimate(f"critic/{name}")), None)
            points = torch.lerp(fake.x, real.x, draws.uniform("segment", len(real.x), *[1] * (real.x.dim() - 1)))
        f = game.penalised_function(real, on_real, on_fake)
        norms = gradient_norms(f, points.requires_grad_())
    return None if estimate is None else CriticDistance(float(estimate), float(norms.max()))
