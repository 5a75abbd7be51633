"""Samplers of points: first random numbers on the device, then arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from gan_cli.data.source import Batch
from gan_cli.rng import generator, seed_of


class Sampler(Protocol):
    """A sampler of points.

    Attributes:
        class_names: of the labels, or None.
        modes: centres (M, D) on the device and their common standard deviation, or None.
    """

    class_names: tuple[str, ...] | None
    modes: tuple[Tensor, float] | None

    def noise(self, n: int, rng: Generator) -> tuple[Tensor, ...]:
        """Return all random numbers of n points, on the generator's device."""
        ...

    def points(self, *noise: Tensor) -> Batch:
        """Return the points of this noise, without randomness or host synchronisation."""
        ...


class GaussianMixture:
    """A mixture of round Gaussians.

    Args:
        centres: (M, D).
        stds: M standard deviations.
        weights: M weights of any sum; None: equal weights.
        device: where points are drawn.
    """

    def __init__(
        self, centres: Tensor, stds: Sequence[float], weights: Sequence[float] | None, device: torch.device
    ) -> None:
        count = len(centres)
        self._centres = centres.to(device, torch.float32)
        self._stds = torch.tensor(stds, dtype=torch.float32, device=device)
        shares = torch.tensor(weights or [1.0] * count, dtype=torch.float64)
        self._bounds = (shares.cumsum(0) / shares.sum())[:-1].to(device, torch.float32)
        self.class_names = tuple(f"mode {i}" for i in range(count)) if count > 1 else None
        self.modes = (self._centres, float(stds[0])) if len(set(stds)) == 1 else None

    def noise(self, n: int, rng: Generator) -> tuple[Tensor, ...]:
        """Return (n,) uniform numbers that choose the modes, and (n, D) normal numbers."""
        device = rng.device
        chosen = torch.rand(n, generator=rng, device=device)
        return chosen, torch.randn(n, self._centres.shape[1], generator=rng, device=device)

    def points(self, *noise: Tensor) -> Batch:
        """Return the points, and the mode of each as y."""
        chosen, normal = noise
        mode = torch.bucketize(chosen, self._bounds, right=True)
        x = self._centres[mode] + self._stds[mode, None] * normal
        return Batch(x, mode if self.class_names else None)


class Spiral:
    """A swiss roll seen from its side, divided by 7.5.

    Args:
        noise: standard deviation before the division.
    """

    class_names = None
    modes = None

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def noise(self, n: int, rng: Generator) -> tuple[Tensor, ...]:
        """Return (n,) uniform and (n, 2) normal numbers."""
        u = torch.rand(n, generator=rng, device=rng.device)
        return u, torch.randn(n, 2, generator=rng, device=rng.device)

    def points(self, *noise: Tensor) -> Batch:
        """Return the points."""
        u, normal = noise
        t = 1.5 * math.pi * (1 + 2 * u)
        x = torch.stack([t * t.cos(), t * t.sin()], dim=1) + self._noise * normal
        return Batch(x / 7.5, None)


class Line:
    """The segment from (0, 0) to (0, 1)."""

    class_names = None
    modes = None

    def noise(self, n: int, rng: Generator) -> tuple[Tensor, ...]:
        """Return (n,) uniform numbers."""
        return (torch.rand(n, generator=rng, device=rng.device),)

    def points(self, *noise: Tensor) -> Batch:
        """Return the points (0, z)."""
        (z,) = noise
        return Batch(torch.stack([torch.zeros_like(z), z], dim=1), None)


class Stream:
    """An endless stream of batches; batch k depends only on (seed, stream, k) and the kind of device.

    Args:
        sampler: draws the points.
        batch_size: number of points in a batch.
        seed: the run's seed.
        stream: name of the use; two streams are independent.
        device: where points are drawn.
    """

    size: int | None = None

    def __init__(self, sampler: Sampler, batch_size: int, seed: int, stream: str, device: torch.device) -> None:
        self._sampler, self._batch_size = sampler, batch_size
        self._seed, self._stream = seed, stream
        self._rng = torch.Generator(device)

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the random numbers of batch k."""
        rng = self._rng.manual_seed(seed_of(self._seed, "points", self._stream, k))
        return self._sampler.noise(self._batch_size, rng)

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the points of drawn numbers."""
        return self._sampler.points(*drawn)


def fixed_points(sampler: Sampler, n: int, device: torch.device) -> Batch:
    """Return n points that do not depend on the run's seed."""
    return sampler.points(*sampler.noise(n, generator(device, 0, "points", "fixed")))
