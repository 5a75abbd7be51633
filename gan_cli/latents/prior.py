"""Normal, uniform and truncated priors."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.latents.base import Latent
from gan_cli.rng import Draws


class Normal(Latent):
    """Standard normal prior."""

    between = "slerp"

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size)."""
        return draws.normal("z", n, self.size)

    def truncated(self, psi: float) -> Latent:
        """Return the normal prior with every number within +-psi."""
        return Truncated(self.size, psi)


class Uniform(Latent):
    """Uniform prior on [-1, 1) (Radford et al. 2016, section 4)."""

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size)."""
        return draws.uniform("z", n, self.size) * 2 - 1


class Truncated(Latent):
    """Standard normal prior with every number within +-psi (Brock et al. 2019, section 3.1).

    Numbers outside would be drawn again; here the inverse of the distribution function gives the same distribution, so
    that every sample costs the same.

    Args:
        size: dimensions of z.
        psi: the bound.
    """

    def __init__(self, size: PositiveInt | Literal["auto"] = 100, psi: PositiveFloat = 2.0) -> None:
        super().__init__(size)
        self.psi = psi

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, size) in [-psi, psi]."""
        inside = math.erf(self.psi / math.sqrt(2))  # probability of [-psi, psi]
        u = draws.uniform("z", n, self.size).mul_(2).sub_(1).mul_(inside)
        return u.erfinv_().mul_(math.sqrt(2)).clamp_(-self.psi, self.psi)

    def truncated(self, psi: float) -> Latent:
        """Return the prior with another bound."""
        return Truncated(self.size, psi)


class NoNoise(Latent):
    """No z at all, for generators that read a source: their only noise is their dropout, if they have any."""

    def __init__(self) -> None:
        self.size = 0

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return no settings."""
        return {}

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n empty z (n, 0)."""
        return draws.normal("z", n, 0)
