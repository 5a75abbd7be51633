"""The role of a prior, the distribution of z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import PositiveInt
from torch import Tensor

from gan_cli.core.shapes import is_toy
from gan_cli.rng import Draws


class Code(NamedTuple):
    """A latent code: a part of z with its own meaning.

    Attributes:
        kind: `categorical`, one-hot with equal chances; `uniform`, each number uniform on [-1, 1).
        size: columns of z.
    """

    kind: Literal["categorical", "uniform"]
    size: int


class Place(NamedTuple):
    """The place of one code in z: a categorical code, or one number of the continuous codes.

    Attributes:
        kind: as for `Code`.
        code: index of the prior's `codes` that contains it.
        start: its first column.
        size: number of its columns: the number of values of a categorical code, 1 for a continuous one.
    """

    kind: Literal["categorical", "uniform"]
    code: int
    start: int
    size: int


class Latent(ABC):
    """A prior.

    Args:
        size: dimensions of the noise; `auto` is 100 (Radford et al. 2016), and 2 for points of at most three
            dimensions (Gulrajani et al. 2017).

    Attributes:
        codes: the latent codes, the last columns of z in this order; most priors have none.
        between: how to interpolate between two samples: `lerp` stays within bounds, `slerp` keeps the norm.
        auto_sizes: values of `auto` for images and for points of at most three dimensions.
    """

    codes: tuple[Code, ...] = ()
    between: Literal["lerp", "slerp"] = "lerp"
    auto_sizes: tuple[int, int] = (100, 2)

    def __init__(self, size: PositiveInt | Literal["auto"] = 100) -> None:
        self.size = size

    @property
    def total_size(self) -> int:
        """Number of columns of z, codes included."""
        return self.size + self.code_size

    @property
    def code_size(self) -> int:
        """Number of columns of all codes."""
        return sum(code.size for code in self.codes)

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return values for the settings that are `auto`, for samples (C, H, W) or (D,)."""
        usual, toy = self.auto_sizes
        return {"size": (toy if is_toy(sample_shape) else usual) if self.size == "auto" else self.size}

    @abstractmethod
    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, total_size)."""

    def truncated(self, psi: float) -> Latent:
        """Return this prior under the condition that every number of z is within +-psi.

        Raises:
            ValueError: its numbers already have bounds.
        """
        raise ValueError(f"the prior {type(self).__name__} is already bounded; only a normal prior can be truncated")

    def places(self) -> list[Place]:
        """Return the place of each single code in z; each continuous code is one number."""
        found, start = [], self.size
        for i, (kind, size) in enumerate(self.codes):
            width = size if kind == "categorical" else 1
            found += [Place(kind, i, start + at, width) for at in range(0, size, width)]
            start += size
        return found

    def with_codes(self, z: Tensor, values: Sequence[float | None]) -> Tensor:
        """Return z (n, total_size) with the first codes set to these values; None and further codes stay as drawn.

        Args:
            z: it is not changed.
            values: the number of a categorical code's value; any number for a continuous code, [-1, 1) being likely.

        Raises:
            ValueError: there are more values than codes, or a categorical code does not have the value.
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
        """Return the codes (N, code_size) in z, None if the prior has no codes."""
        return z[:, self.size :] if self.codes else None
