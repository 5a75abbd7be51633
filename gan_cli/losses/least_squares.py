"""The least-squares loss."""

from __future__ import annotations

from pydantic import FiniteFloat
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class LeastSquares(Loss):
    """Least-squares GAN (Mao et al. 2017, equation 2).

    b - c = 1 and b - a = 2, such as a = -1, b = 1, c = 0, make the generator minimise the Pearson divergence of
    p + q from 2 q (equation 8); a = 0, b = c = 1 are the labels of a classifier (equation 9).

    Args:
        a: the critic's target for a fake.
        b: the critic's target for a real sample.
        c: the generator's target for the critic's score of a fake.

    Raises:
        ValueError: a = b, so that real and fake have the same target.
    """

    logged = (
        Curve(
            "critic/le_cam_estimate",
            "1",
            "lower",
            "a lower bound of the Le Cam (chi-squared) divergence, which is in [0, 1]",
        ),
    )

    def __init__(self, a: FiniteFloat = 0.0, b: FiniteFloat = 1.0, c: FiniteFloat = 1.0) -> None:
        super().__init__()
        if a == b:
            raise ValueError(f"a={a} and b={b}: the labels of fake and real must differ; use loss.a=0 loss.b=1")
        self.a = a
        self.b = b
        self.c = c

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return (E (D(real) - b)^2 + E (D(fake) - a)^2) / 2."""
        return ((real.score - self.b).square().mean() + (fake.score - self.a).square().mean()) / 2

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return E (D(fake) - c)^2 / 2."""
        return (fake.score - self.c).square().mean() / 2

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return 1 - 4 L_D / (b - a)^2, a lower bound of half the integral of (p - q)^2 / (p + q).

        That is Le Cam's divergence, at most 1. The best critic, (b p + a q) / (p + q), reaches it for any labels.
        """
        return {"le_cam_estimate": 1 - 4 * self.critic(real, fake) / (self.b - self.a) ** 2}
