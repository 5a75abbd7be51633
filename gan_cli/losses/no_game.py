"""No game between the players."""

from __future__ import annotations

from torch import Tensor

from gan_cli.losses.base import CriticOutput, Loss


class NoGame(Loss):
    """No adversarial term: the generator minimises its task's further terms alone, and no critic is trained.

    With task=restore it is the network that the adversarial one is compared with, such as SRResNet beside SRGAN (Ledwig
    et al. 2017).
    """

    reads_score = False
    critic_plays = False
    has_objective = False

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return 0."""
        return fake.score.new_zeros(())

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return 0."""
        return fake.score.new_zeros(())

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return no curves."""
        return {}
