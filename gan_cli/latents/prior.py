"""Priors that z is drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import PositiveInt
from torch import Tensor

from gan_cli.rng import Draws


class Latent(ABC):
    """A prior.

    Args:
        size: dimensions of z.
    """

    def __init__(self, size: PositiveInt = 100) -> None:
        self.size = size

    @abstractmethod
    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size)."""


class Normal(Latent):
    """Standard normal."""

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size)."""
        return draws.normal("z", n, self.size)


class Uniform(Latent):
    """Uniform on [-1, 1) (Radford et al. 2016, section 4)."""

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size)."""
        return draws.uniform("z", n, self.size) * 2 - 1
