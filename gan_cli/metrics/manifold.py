"""Precision, recall, density and coverage by nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.metrics.features import require_pair

CURVES = (
    Curve(
        "quality/precision[_<extractor>]",
        "share",
        "higher",
        "share of fakes near a real sample: quality",
        chart=("Quality", "precision, recall, density, coverage"),
    ),
    Curve(
        "quality/recall[_<extractor>]",
        "share",
        "higher",
        "share of real samples near a fake: diversity",
        chart=("Quality", "precision, recall, density, coverage"),
    ),
    Curve(
        "quality/density[_<extractor>]",
        "1",
        "neither",
        "real samples near a fake, over their number for equal distributions",
        chart=("Quality", "precision, recall, density, coverage"),
    ),
    Curve(
        "quality/coverage[_<extractor>]",
        "share",
        "higher",
        "share of real samples that have a fake near them",
        chart=("Quality", "precision, recall, density, coverage"),
    ),
)

ROWS, COLUMNS = 2048, 8192  # of a distance matrix at a time
K_PRECISION = 3  # neighbours, as each paper has them
K_DENSITY = 5
LEAST = K_DENSITY + 1  # samples of each set


class Manifold(NamedTuple):
    """The result of `manifold`.

    Attributes:
        precision: share of fakes inside a real sample's ball, in [0, 1]: quality.
        recall: share of reals inside a fake's ball, in [0, 1]: diversity.
        density: real balls that a fake is in, over K_DENSITY; 1 for equal distributions, and may be above.
        coverage: share of reals whose ball holds a fake, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


@torch.no_grad()
def manifold(real: Tensor, fake: Tensor) -> Manifold:
    """Measure precision and recall (Kynkaanniemi et al. 2019, equation 2), density and coverage (Naeem et al. 2020).

    A sample's ball reaches to its k-th nearest neighbour of the same set: k = 3 for the first two, 5 for the others.

    Args:
        real: (N, F) features, N at least LEAST.
        fake: (M, F) features, M at least LEAST.

    Raises:
        ValueError: fewer samples, or features of other sizes.
    """
    require_pair(real, fake, LEAST)
    near_real, wide_real = _radii(real, K_PRECISION, K_DENSITY)
    (near_fake,) = _radii(fake, K_PRECISION)
    inside, counts, recalled, covered = [], [], [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for part in fake.split(ROWS):
        near = torch.zeros(len(part), dtype=torch.bool, device=real.device)
        within = torch.zeros(len(part), dtype=torch.long, device=real.device)
        for columns, distances in _blocks(part, real):
            near |= (distances <= near_real[columns]).any(dim=1)
            balls = distances <= wide_real[columns]
            within += balls.sum(dim=1)
            covered[columns] |= balls.any(dim=0)
        inside.append(near)
        counts.append(within)
    for part in real.split(ROWS):
        found = [(distances <= near_fake[columns]).any(dim=1) for columns, distances in _blocks(part, fake)]
        recalled.append(torch.stack(found).any(dim=0))
    return Manifold(
        precision=_mean(inside),
        recall=_mean(recalled),
        density=_mean(counts) / K_DENSITY,
        coverage=float(covered.double().mean()),
    )


def _radii(x: Tensor, *ks: int) -> list[Tensor]:
    """Return for each k the distances (N,) from every sample to its k-th nearest other one."""
    found = []
    for start in range(0, len(x), ROWS):
        part, near = x[start : start + ROWS], []
        for columns, distances in _blocks(part, x):
            own = torch.arange(start, start + len(part), device=x.device)
            own = own[(own >= columns.start) & (own < columns.stop)]
            distances[own - start, own - columns.start] = torch.inf
            near.append(distances.topk(min(max(ks), distances.shape[1]), largest=False).values)
        found.append(torch.cat(near, dim=1).topk(max(ks), largest=False).values)
    nearest = torch.cat(found)
    return [nearest[:, k - 1] for k in ks]


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield the distances of all of `a` from a slice of `b`, and the slice."""
    for start in range(0, len(b), COLUMNS):
        columns = slice(start, min(start + COLUMNS, len(b)))
        yield columns, _distances(a, b[columns])


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a.double(), b.double(), compute_mode="use_mm_for_euclid_dist")


def _mean(parts: list[Tensor]) -> float:
    return float(torch.cat(parts).double().mean())
