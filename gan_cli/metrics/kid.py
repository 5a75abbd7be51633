"""The kernel distance (KID) between feature sets."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.metrics.features import require_pair

CURVES = (
    Curve(
        "quality/kid[_<extractor>]",
        "kernel",
        "lower",
        "squared kernel distance in the features of the extractor, unbiased",
        chart=("Quality", "KID"),
    ),
)

LEAST = 2  # samples of each set
ROWS, COLUMNS = 2048, 8192  # of a kernel matrix at a time


@torch.no_grad()
def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Return the unbiased squared MMD with the kernel (x . y / F + 1)^3 (Binkowski et al. 2018, KID, equation 4).

    Here it is taken over all pairs at once, where the paper averages over subsets; it may be below 0.

    Args:
        a: (N, F) features.
        b: (M, F) features.

    Raises:
        ValueError: fewer than LEAST samples, or features of other sizes.
    """
    require_pair(a, b, LEAST)
    within = sum((_sum(x, x) - _diagonal(x)) / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(within - 2 * _sum(a, b) / (len(a) * len(b)))


def _sum(a: Tensor, b: Tensor) -> Tensor:
    blocks = ((rows.double(), columns) for columns in b.split(COLUMNS) for rows in a.split(ROWS))
    sums = [(rows @ columns.double().T / a.shape[1] + 1).pow(3).sum() for rows, columns in blocks]
    return torch.stack(sums).sum()


def _diagonal(x: Tensor) -> Tensor:
    squares = torch.cat([part.double().square().sum(dim=1) for part in x.split(COLUMNS)])
    return (squares / x.shape[1] + 1).pow(3).sum()
