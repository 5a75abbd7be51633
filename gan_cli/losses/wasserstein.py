"""The Wasserstein loss."""

from __future__ import annotations

from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class Wasserstein(Loss):
    """Wasserstein GAN (Arjovsky et al. 2017, equations 2 and 3, Algorithm 1).

    The critic f maximises E f(real) - E f(fake), which is K times the earth mover's distance once f is the best
    K-Lipschitz function; the constraint group decides how f is kept Lipschitz.
    """

    integral_probability_metric = True
    logged = (
        Curve(
            "critic/wasserstein_estimate",
            "score",
            "lower",
            "E f(real) - E f(fake), without penalty: K times a lower bound of the Wasserstein distance, K the critic's "
            "Lipschitz constant",
            chart=("Wasserstein distance", "estimate, held-out"),
        ),
    )

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return E f(fake) - E f(real)."""
        return fake.score.mean() - real.score.mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return -E f(fake); with `real`, the whole value E f(real) - E f(fake)."""
        return -fake.score.mean() if real is None else -self.critic(real, fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the signed estimate of K times the distance, E f(real) - E f(fake)."""
        return {"wasserstein_estimate": -self.critic(real, fake)}
