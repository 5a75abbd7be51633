"""Relativistic losses, which compare the scores of real samples and fakes."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class Relativistic(Loss):
    """Relativistic pairing GAN (Jolicoeur-Martineau 2018, Algorithm 1; Huang et al. 2024, R3GAN, equation 2).

    Each real sample is compared with one fake: D = sigmoid(C(real) - C(fake)). The generator's objective is the
    critic's with real and fake exchanged. R3GAN is this with the penalties R1 and R2.
    """

    generator_reads_real = True
    logged = (
        Curve(
            "critic/relativistic_estimate",
            "nats",
            "lower",
            "log 2 minus the relativistic critic's loss: not known to bound a distance",
        ),
    )

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L_D = E -log sigmoid(C(real) - C(fake))."""
        return softplus(-_paired(real, fake)).mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return E -log sigmoid(C(fake) - C(real))."""
        return softplus(_paired(real, fake)).mean()

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return log 2 - L_D, at most log 2.

        It is a lower bound of the Jensen-Shannon divergence (with the 1/2) of the pairs (real, fake) from (fake, real).
        """
        return {"relativistic_estimate": math.log(2) - self.critic(real, fake)}


class RelativisticAverage(Loss):
    """Relativistic average GAN, RaSGAN (Jolicoeur-Martineau 2018, Algorithm 2).

    Each sample is compared with the mean score of the other kind, so a batch cannot be divided.
    """

    generator_reads_real = True
    per_sample = False
    logged = Relativistic.logged

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L_D = E -log sigmoid(C(real) - E C(fake)) + E -log(1 - sigmoid(C(fake) - E C(real)))."""
        return softplus(fake.score.mean() - real.score).mean() + softplus(fake.score - real.score.mean()).mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return L_D with real and fake exchanged."""
        return self.critic(fake, real)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return log 2 - L_D / 2, at most log 2; its best value is a divergence too (Jolicoeur-Martineau 2020)."""
        return {"relativistic_estimate": math.log(2) - self.critic(real, fake) / 2}


def _paired(real: CriticOutput, fake: CriticOutput) -> Tensor:
    """Return C(real) - C(fake), (N,), for the complete pairs: a held-out batch may be smaller."""
    n = min(len(real.score), len(fake.score))
    return real.score[:n] - fake.score[:n]
