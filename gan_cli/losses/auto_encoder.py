"""What losses whose critic is an auto-encoder have in common."""

from __future__ import annotations

from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss


class AutoEncoderLoss(Loss):
    """A loss whose critic is an auto-encoder: its score is the energy, the error of the reconstruction."""

    logged = (
        Curve(
            "critic/energy_gap",
            "energy",
            "neither",
            "E D(fake) - E D(real) of an auto-encoder critic: how much worse it reconstructs fakes; not a distance",
            role="progress",
        ),
    )

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return `energy_gap`, E D(fake) - E D(real)."""
        return {"energy_gap": fake.score.mean() - real.score.mean()}
