"""Instance noise."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.inputs.base import Input
from gan_cli.rng import Draws


class InstanceNoise(Input):
    """Gaussian noise on every value of real and generated samples (Arjovsky & Bottou 2017, section 3).

    It gives both distributions a density everywhere, so their divergence has a gradient even if their
    supports do not meet. Annealing is that of Sonderby et al. 2017, whose paper calls it instance noise.

    Args:
        std: standard deviation of the noise at the first step, in the units of the samples.
        schedule: `linear` falls to 0 with the steps; `constant` stays at std.
        until_step: the first step without noise, if linear.
    """

    def __init__(
        self,
        std: PositiveFloat = 0.1,
        schedule: Literal["constant", "linear"] = "linear",
        until_step: PositiveInt = 2000,
    ) -> None:
        self.std = std
        self.schedule = schedule
        self.until_step = until_step

    def std_at(self, step: int) -> float:
        """Return the standard deviation at a step, counted from 0."""
        return self.std if self.schedule == "constant" else self.std * max(0.0, 1 - step / self.until_step)

    def __call__(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return x + std * N(0, 1)."""
        return x + draws.scheduled(self.std_at) * draws.normal(stream, *x.shape)
