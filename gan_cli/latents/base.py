"""The role of a prior: what z is drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
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


class Place(NamedTuple):
    """Where one code stands in z: a categorical one, or one number of the continuous ones.

    Attributes:
        kind: as of `Code`.
        code: which of the prior's `codes` it is, or is a part of.
        start: its first column.
        size: its columns: values of a categorical code, 1 of a continuous one.
    """

    kind: Literal["categorical", "uniform"]
    code: int
    start: int
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

    def truncated(self, psi: float) -> Latent:
        """Return this prior given that every number of z is within +-psi.

        Raises:
            ValueError: its numbers have bounds of their own.
        """
        raise ValueError(
            f"the prior {type(self).__name__} has bounds of its own, and only a normal one can be truncated"
        )

    def places(self) -> list[Place]:
        """Return where each single code stands in z: the continuous ones one by one."""
        found, start = [], self.size
        for i, (kind, size) in enumerate(self.codes):
            width = size if kind == "categorical" else 1
            found += [Place(kind, i, start + at, width) for at in range(0, size, width)]
            start += size
        return found

    def with_codes(self, z: Tensor, values: Sequence[float | None]) -> Tensor:
        """Return z (n, total_size) with the first codes at these values, the others and those that are None as drawn.

        Args:
            z: is not changed.
            values: the number of a categorical code's value; any number for a continuous code, [-1, 1) being likely.

        Raises:
            ValueError: more values than codes, or one that a categorical code does not have.
        """
        z, places = z.clone(), self.places()
        if len(values) > len(places):
            kinds = ", ".join("any number" if place.kind == "uniform" else f"0 to {place.size - 1}" for place in places)
            raise ValueError(f"the prior {type(self).__name__} has {len(places) or 'no'} codes{kinds and f': {kinds}'}")
        for i, (value, place) in enumerate(zip(values, places, strict=False)):
            if value is None:
                continue
            if place.kind == "uniform":
                z[:, place.start] = value
            elif value in range(place.size):
                z[:, place.start : place.start + place.size] = 0
                z[:, place.start + int(value)] = 1
            else:
                raise ValueError(f"{value:g}: code {i} has the values 0 to {place.size - 1}")
        return z

    def codes_of(self, z: Tensor) -> Tensor | None:
        """Return the codes (N, code_size) in z, None where the prior has none."""
        return z[:, self.size :] if self.codes else None
