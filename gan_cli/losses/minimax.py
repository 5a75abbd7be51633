"""The two objectives of the first GAN."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.base import Answer, Loss


class Minimax(Loss):
    """Minimax GAN (Goodfellow et al. 2014, equation 1), with D = sigmoid(score).

    L_D = E -log D(real) + E -log(1 - D(fake)), written with softplus so that it is exact at any score.
    """

    def critic(self, real: Answer, fake: Answer) -> Tensor:
        """Return L_D, the sum of the two cross-entropies."""
        return softplus(-real.score).mean() + softplus(fake.score).mean()

    def generator(self, fake: Answer, real: Answer | None) -> Tensor:
        """Return E log(1 - D(fake))."""
        return -softplus(fake.score).mean()

    def estimates(self, real: Answer, fake: Answer) -> dict[str, Tensor]:
        """Return the lower bound log 2 - L_D / 2 of the Jensen-Shannon divergence, at most log 2."""
        return {"js_estimate": math.log(2) - self.critic(real, fake) / 2}


class NonSaturating(Minimax):
    """Non-saturating GAN (Goodfellow et al. 2014, section 3): the critic of the minimax game, another generator."""

    def generator(self, fake: Answer, real: Answer | None) -> Tensor:
        """Return E -log D(fake)."""
        return softplus(-fake.score).mean()
