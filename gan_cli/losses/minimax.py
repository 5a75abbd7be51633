"""The two losses of the first GAN paper: minimax and non-saturating."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class Minimax(Loss):
    """Minimax GAN (Goodfellow et al. 2014, equation 1), with D = sigmoid(score).

    L_D = E -log D(real) + E -log(1 - D(fake)), written with softplus so that it is exact at any score.

    Args:
        real_label: D's target for a real sample; 0.9 is one-sided label smoothing (Salimans et al. 2016,
            section 3.4), under which the best D is real_label p / (p + q). The target for a fake stays 0.
    """

    logged = (
        Curve(
            "critic/js_estimate",
            "nats",
            "lower",
            "log 2 - L_D / 2: a lower bound of the Jensen-Shannon divergence, at most log 2 = 0.693, which it reaches "
            "as soon as the critic separates the two; it may not fall as samples improve",
        ),
    )

    def __init__(self, real_label: Annotated[float, Field(gt=0.5, le=1)] = 1.0) -> None:
        super().__init__()
        self.real_label = real_label

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L_D, the sum of the two cross-entropies."""
        smoothing = (1 - self.real_label) * real.score.mean()  # softplus(s) = softplus(-s) + s
        return _cross_entropies(real, fake) + smoothing

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return E log(1 - D(fake)); with `real`, the whole value -L_D."""
        return -softplus(fake.score).mean() if real is None else -self.critic(real, fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the lower bound log 2 - L_D / 2 of the Jensen-Shannon divergence, at most log 2.

        L_D here has the hard labels 1 and 0 for any `real_label`, so it is a bound for any critic; a smoothed
        critic does not make it tight.
        """
        return {"js_estimate": math.log(2) - _cross_entropies(real, fake) / 2}


class NonSaturating(Minimax):
    """Non-saturating GAN (Goodfellow et al. 2014, section 3): minimax GAN with another generator loss."""

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return E -log D(fake)."""
        return softplus(-fake.score).mean()


def _cross_entropies(real: CriticOutput, fake: CriticOutput) -> Tensor:
    return softplus(-real.score).mean() + softplus(fake.score).mean()
