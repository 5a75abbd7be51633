"""Feature matching."""

from __future__ import annotations

from torch import Tensor

from gan_cli.losses.base import CriticOutput
from gan_cli.losses.minimax import Minimax


class FeatureMatching(Minimax):
    """Feature matching (Salimans et al. 2016, section 3.1): the generator minimises ||E f(real) - E f(fake)||^2.

    f are the critic's last hidden features; the critic plays the minimax game. The paper takes an intermediate layer.
    """

    generator_reads_real = True
    per_sample = False

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return the squared distance of the mean features."""
        return (real.features.mean(dim=0) - fake.features.mean(dim=0)).square().sum()
