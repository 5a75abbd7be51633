"""Priors that z is drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from pydantic import PositiveInt
from torch import Tensor

from gan_cli.rng import Draws


class Latent(ABC):
    """A prior.

    Args:
        size: dimensions of z; `auto` is 100 for images (Radford et al. 2016) and 2 for points (Gulrajani et al. 2017).
    """

    def __init__(self, size: PositiveInt | Literal["auto"] = 100) -> None:
        self.size = size

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the settings that were `auto`, for samples (C, H, W) or (D,)."""
        return {"size": (100 if len(sample_shape) == 3 else 2) if self.size == "auto" else self.size}

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
