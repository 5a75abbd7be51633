"""Wasserstein distances between samples: exact, and sliced."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.rng import generator

CURVES = (
    Curve(
        "distance/sliced_w1",
        "distance",
        "lower",
        "mean Wasserstein distance of projections of the samples",
        chart=("Other distances", "sliced W1"),
    ),
    Curve(
        "distance/exact_w1",
        "distance",
        "lower",
        "Wasserstein distance of the samples, by assignment",
        chart=("Other distances", "exact W1, and the critic's estimate over K"),
    ),
)

LEAST = 1  # samples of each set
ROWS = 128  # projections at a time
SAMPLES = 1024  # projected at a time: in float64, all of them would take twice their own memory
EXACT_DIMENSIONS = 8  # up to which distances are summed one by one: beyond, a matrix product is much faster


@torch.no_grad()
def exact_w1(a: Tensor, b: Tensor) -> float:
    """Return W1 of two samples of equal size exactly: the mean Euclidean distance of the best pairing.

    In one dimension the pairing is by rank; else it is an assignment problem, O(N^3). It is biased upward: for two
    samples of one distribution it is not 0, and in many dimensions it falls slowly with N, so it goes with its floor.

    Args:
        a: (N, ...) samples, flattened here.
        b: (N, ...) samples.

    Raises:
        ValueError: there are no samples, or their numbers or shapes differ.
    """
    a, b = (x.double() for x in _pair(a, b))
    if a.shape[1] == 1:
        return float((a[:, 0].sort().values - b[:, 0].sort().values).abs().mean())
    from scipy.optimize import linear_sum_assignment

    exactly = a.shape[1] <= EXACT_DIMENSIONS
    mode = "donot_use_mm_for_euclid_dist" if exactly else "use_mm_for_euclid_dist"
    cost = torch.cdist(a, b, compute_mode=mode).cpu().numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


@torch.no_grad()
def sliced_w1(a: Tensor, b: Tensor, projections: int = 512) -> float:
    """Return the mean W1 of projections on random directions (Bonneel et al. 2015), the same in each call.

    Args:
        a: (N, ...) samples, flattened here.
        b: (N, ...) samples.
        projections: number of directions, uniform on the sphere.

    Raises:
        ValueError: there are no samples, or their numbers or shapes differ.
    """
    a, b = _pair(a, b)
    directions = torch.randn(projections, a.shape[1], generator=generator("cpu", 0, "slices"), dtype=torch.float64)
    directions = (directions / directions.norm(dim=1, keepdim=True)).to(a.device)
    parts = [(_sorted(a, part) - _sorted(b, part)).abs().mean(0) for part in directions.split(ROWS)]
    return float(torch.cat(parts).mean())


def _sorted(x: Tensor, directions: Tensor) -> Tensor:
    """Return the sorted projections (N, P) of samples (N, D) on directions (P, D)."""
    return torch.cat([part.double() @ directions.T for part in x.split(SAMPLES)]).sort(dim=0).values


def _pair(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.shape != b.shape or a.dim() < 2 or len(a) < LEAST:
        raise ValueError(f"samples {tuple(a.shape)} and {tuple(b.shape)} must have equal numbers and shapes")
    return a.flatten(1), b.flatten(1)
