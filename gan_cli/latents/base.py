"""What z is drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

from pydantic import PositiveInt
from torch import Tensor

from gan_cli.rng import Draws


class Code(NamedTuple):
    """A part of z that has a meaning of its own.

    Attributes:
        kind: `categorical`, one-hot with equal chances; `uniform`, each number uniform on [-1, 1).
        size: columns of z.
    """

    kind: Literal["categorical", "uniform"]
    size: int


class Latent(ABC):
    """A prior.

    Args:
        size: dimensions of the noise; `auto` is 100 for images (Radford et al. 2016) and 2 for points (Gulrajani et
            al. 2017).

    Attributes:
        codes: the latent codes, the last columns of z in this order; most priors have none.
        between: how two samples are joined by a way of likely ones: `lerp` stays within bounds, `slerp` keeps the norm.
        auto_sizes: what `auto` stands for, for images and for points.
    """

    codes: tuple[Code, ...] = ()
    between: Literal["lerp", "slerp"] = "lerp"
    auto_sizes: tuple[int, int] = (100, 2)

    def __init__(self, size: PositiveInt | Literal["auto"] = 100) -> None:
        self.size = size

    @property
    def total_size(self) -> int:
        """Columns of z, codes included."""
        return self.size + self.code_size

    @property
    def code_size(self) -> int:
        """Columns of all codes."""
        return sum(code.size for code in self.codes)

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the settings that were `auto`, for samples (C, H, W) or (D,)."""
        images, points = self.auto_sizes
        return {"size": (images if len(sample_shape) == 3 else points) if self.size == "auto" else self.size}

    @abstractmethod
    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, total_size)."""

    def codes_of(self, z: Tensor) -> Tensor | None:
        """Return the codes (N, code_size) in z, None where the prior has none."""
        return z[:, self.size :] if self.codes else None
