"""The boundary equilibrium GAN."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.auto_encoder import AutoEncoderLoss
from gan_cli.losses.base import CriticOutput


class BEGAN(AutoEncoderLoss):
    """Boundary equilibrium GAN (Berthelot, Schumm & Metz 2017, section 3.4).

    With the auto-encoder's error L(x) = |x - D(x)|, the mean over a sample's values:

        L_D = L(real) - k_t L(fake)
        L_G = L(fake)
        k_{t+1} = k_t + lambda_k (gamma L(real) - L(fake)), clipped to [0, 1], k_0 = 0

    so that E L(fake) / E L(real) is held at gamma. The measure of convergence is
    M = L(real) + |gamma L(real) - L(fake)|.

    Differences from the paper: k_t moves once a step by the samples of the last critic update (the paper's control
    reads the generator's batch, drawn apart); the learning rate does not decay. The paper's learning rate (1e-4) and
    gain suit runs of some 100,000 steps; 1,500 steps need 1e-3 and 0.01, or the critic does not learn to encode in
    time and the generator draws one picture. `norm: auto` of a model's critic is none, as in the paper.

    Args:
        gamma: diversity ratio; the paper uses 0.3 to 0.7. Small values give fewer, sharper kinds of samples.
        lambda_k: gain of the control, the learning rate of k.
    """

    energy = "l1"
    logged = (
        Curve(
            "critic/convergence",
            "energy",
            "lower",
            "BEGAN's measure of convergence, E L(real) + |gamma E L(real) - E L(fake)|: not a distance",
            role="progress",
        ),
        Curve("critic/k_t", "1", "neither", "weight of L(fake) in the critic's objective, in [0, 1]"),
        Curve("critic/balance", "1", "neither", "E L(fake) / E L(real), which k_t holds at gamma"),
        *AutoEncoderLoss.logged,
    )

    def __init__(self, gamma: Annotated[float, Field(gt=0, le=1)] = 0.5, lambda_k: PositiveFloat = 0.001) -> None:
        super().__init__()
        self.gamma = gamma
        self.lambda_k = lambda_k
        self.register_buffer("k_t", torch.zeros(()))

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L(real) - k_t L(fake)."""
        return real.score.mean() - self.k_t * fake.score.mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return L(fake)."""
        return fake.score.mean()

    def _imbalance(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        return self.gamma * real.score.mean() - fake.score.mean()

    def update_(self, real: CriticOutput, fake: CriticOutput) -> None:
        """Update k_t by lambda_k (gamma L(real) - L(fake)) and clip it to [0, 1]."""
        self.k_t.add_(self._imbalance(real, fake), alpha=self.lambda_k).clamp_(0, 1)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return `convergence` (M), `k_t`, `balance` (E L(fake) / E L(real)) and `energy_gap` (their difference).

        At the equilibrium the balance is nearly gamma and the gap is negative: generated samples are easier to encode.
        """
        on_real, on_fake = real.score.mean(), fake.score.mean()
        return {
            "convergence": on_real + self._imbalance(real, fake).abs(),
            "k_t": self.k_t.clone(),  # the buffer moves before the curve is read
            "balance": on_fake / on_real,
            **super().estimates(real, fake),
        }
