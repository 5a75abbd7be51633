"""The hinge loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class Hinge(Loss):
    """Hinge GAN (Lim & Ye 2017, geometric GAN; Miyato et al. 2018, SNGAN, equations 16 and 17)."""

    logged = (
        Curve(
            "critic/total_variation_estimate",
            "1",
            "lower",
            "1 - L_D / 2 of a hinge critic: a lower bound of the total variation distance",
        ),
    )

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L_D = E max(0, 1 - D(real)) + E max(0, 1 + D(fake))."""
        return relu(1 - real.score).mean() + relu(1 + fake.score).mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return -E D(fake)."""
        return -fake.score.mean()

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the lower bound 1 - L_D / 2 of the total variation, half the integral of |p - q|, at most 1."""
        return {"total_variation_estimate": 1 - self.critic(real, fake) / 2}
