"""The memorisation test: compares distances of samples to training images with distances of held-out images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from scipy.special import betaincinv
from torch import Tensor

from gan_cli.analysis.birthday import wilson
from gan_cli.rng import generator

ROWS = 1024  # of a distance matrix at a time
QUANTILE = 0.01  # of held-out distances: what is nearer is a copy
COPIED = 0.05  # share of copies above which a generator has memorised
CERTAIN = 3.0  # deviations of C_T
PER_CELL = 20  # samples of each kind that a cell needs for a rank test
CELLS = 10  # of the training set, at the most


class Nearest(NamedTuple):
    """The result of `nearest`, nearest first.

    Attributes:
        distances: (N, k).
        positions: (N, k), positions among the references.
    """

    distances: Tensor
    positions: Tensor


class Space(NamedTuple):
    """Distances to the nearest training image, in one space.

    Attributes:
        fake: (N,) distances of samples.
        heldout: (M,) distances of held-out reals.
        z: result of the Mann-Whitney test; below 0: samples are nearer than held-out reals.
        p: one-sided probability of so small a z if samples and reals have the same distribution.
        c_t: the same test within cells of the training set, see `data_copying`; NaN if no cell has enough samples.
        deviation: standard deviation of c_t if samples and reals have the same distribution.
        threshold: the distance below which one held-out real in a hundred is.
    """

    fake: Tensor
    heldout: Tensor
    z: float
    p: float
    c_t: float
    deviation: float
    threshold: float

    @property
    def nearer(self) -> Tensor:
        """Which samples (N,) are nearer than the threshold."""
        return self.fake < self.threshold

    @property
    def copied(self) -> bool:
        """Whether samples are nearer than held-out reals on average, beyond chance."""
        return self.c_t < -CERTAIN * self.deviation


@torch.no_grad()
def nearest(x: Tensor, references: Iterable[Tensor], k: int = 1) -> Nearest:
    """Find the k nearest references of every row, by Euclidean distance; the references are read in parts.

    Args:
        x: (N, F).
        references: parts (M_i, F); positions count in their order.
        k: at most the number of all references.

    Raises:
        ValueError: fewer than k references.
    """
    distances, positions = x.new_empty(len(x), 0, dtype=torch.float64), x.new_empty(len(x), 0, dtype=torch.long)
    seen, queries = 0, x.flatten(1).double().split(ROWS)
    for part in references:
        for some in part.flatten(1).split(ROWS):
            block = some.double()
            found = torch.cat([torch.cdist(rows, block, compute_mode="use_mm_for_euclid_dist") for rows in queries])
            numbers = torch.arange(seen, seen + len(some), device=x.device).expand(len(x), -1)
            distances, positions = torch.cat([distances, found], 1), torch.cat([positions, numbers], 1)
            order = distances.topk(min(k, distances.shape[1]), largest=False)
            distances, positions = order.values, positions.gather(1, order.indices)
            seen += len(some)
    if seen < k:
        raise ValueError(f"{seen} references are fewer than the {k} nearest")
    return Nearest(distances, positions)


def mann_whitney(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Return z and the one-sided p of the rank test of Mann and Whitney (1947): how likely so small a z is by chance.

    This is the normal approximation, where ties share their ranks; z is below 0 if a tends to be smaller.

    Args:
        a: (N,) values.
        b: (M,) values.
    """
    n, m, a = len(a), len(b), a.contiguous()
    ordered = b.sort().values
    below, up_to = (torch.searchsorted(ordered, a, right=right) for right in (False, True))
    u = float((below + up_to).double().sum()) / 2
    ties = torch.cat([a, b]).unique(return_counts=True)[1].double()
    tied = float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - tied)
    z = (u - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
    return z, 0.5 * math.erfc(-z / math.sqrt(2))


def data_copying(fake: Tensor, heldout: Tensor, fake_cells: Tensor, heldout_cells: Tensor) -> tuple[float, float]:
    """Return C_T of Meehan et al. (2020) and its standard deviation by chance; C_T far below 0: data are copied.

    It is the z of `mann_whitney` within each cell of the space, weighted by the held-out share of the cell. Because of
    the cells, a different mixture of kinds of samples neither looks like copies nor hides copies.

    Args:
        fake: (N,) distances to the nearest training image.
        heldout: (M,) distances of held-out reals.
        fake_cells: (N,), the cell of each sample.
        heldout_cells: (M,), the cell of each held-out real.

    Returns:
        NaN if no cell has PER_CELL of both.
    """
    total = weights = squares = 0.0
    for cell in heldout_cells.unique().tolist():
        of_fake, of_heldout = fake[fake_cells == cell], heldout[heldout_cells == cell]
        if min(len(of_fake), len(of_heldout)) >= PER_CELL:
            total += len(of_heldout) * mann_whitney(of_fake, of_heldout)[0]
            weights += len(of_heldout)
            squares += len(of_heldout) ** 2
    return (total / weights, math.sqrt(squares) / weights) if weights else (math.nan, math.nan)


@torch.no_grad()
def cells(x: Tensor, n_cells: int = CELLS, rounds: int = 20) -> Tensor:
    """Return the centres (n_cells, F) that Lloyd's k-means finds for x (N, F), starting at random rows."""
    start = torch.randperm(len(x), generator=generator("cpu", 0, "cells"))[:n_cells]
    centres = x[start.to(x.device)].double()
    for _ in range(rounds):
        own = nearest(x, [centres]).positions[:, 0]
        sums = torch.zeros_like(centres).index_add_(0, own, x.double())
        counts = own.bincount(minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def compare(fake: Tensor, heldout: Tensor, fake_cells: Tensor, heldout_cells: Tensor) -> Space:
    """Compare distances to the nearest training image; arguments as for `data_copying`."""
    z, p = mann_whitney(fake, heldout)
    c_t, deviation = data_copying(fake, heldout, fake_cells, heldout_cells)
    return Space(fake, heldout, z, p, c_t, deviation, float(heldout.double().quantile(QUANTILE)))


def copies(spaces: Mapping[str, Space]) -> Tensor:
    """Return which samples (N,) are copies: nearer to a training image in every space than one held-out real in 100.

    In pixels alone, blurred samples are near to everything; in features alone, samples with few features are.
    """
    return torch.stack([space.nearer for space in spaces.values()]).all(dim=0)


def _chance(n: int) -> float:
    """Return the largest likely share of real images that are nearer than the quantile of n held-out images.

    It is the upper end of the 95 % interval (Clopper & Pearson 1934), by the order statistic above the quantile.
    """
    above = int(QUANTILE * (n - 1)) + 2
    return float(betaincinv(above, n - above + 1, 0.975))


def verdict(spaces: Mapping[str, Space]) -> str:
    """Return one line: whether the generator has memorised its training images, and the evidence.

    It has if more than 5 % of its samples are copies beyond doubt, given the number of held-out reals, or
    if in several spaces at once samples are on average nearer to the training images than held-out reals: copies
    that are not exact.
    """
    copied = copies(spaces)
    _, low, high = wilson(int(copied.sum()), len(copied))
    share = f"{100 * float(copied.double().mean()):.1f} % of {len(copied):,} samples"
    where = " and in ".join(spaces)
    text = f"{share} are nearer to a training image, in {where}, than 1 % of the held-out images are"
    n_heldout = len(next(iter(spaces.values())).heldout)
    if low > max(COPIED, _chance(n_heldout)):
        return f"memorised: {text}"
    if len(spaces) > 1 and all(space.copied for space in spaces.values()):
        c_t = ", ".join(f"{space.c_t:.1f} in {name}" for name, space in spaces.items())
        return f"memorised: samples are nearer to the training images than held-out images are (C_T {c_t}); {text}"
    if low > COPIED:
        return f"not sure: {text}; {n_heldout} held-out images are too few (use a larger dataset.holdout in a new run)"
    if high > COPIED:
        return f"not sure: {text}; use more samples (kind.count)"
    return f"not memorised: {text}"
