"""The Frechet distance between Gaussians fitted to features."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.metrics.features import require_pair

CURVES = (
    Curve(
        "quality/fid",
        "features^2",
        "lower",
        "Frechet distance in the features of the Inception network",
        chart=("Quality", "Frechet distance"),
    ),
    Curve(
        "quality/frechet_distance_<extractor>",
        "features^2",
        "lower",
        "Frechet distance in the features of the extractor",
        chart=("Quality", "Frechet distance"),
    ),
)

LEAST = 2  # samples of each set
ROWS = 8192  # features in float64 at a time


@torch.no_grad()
def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), in squared units of the features (Heusel et al. 2017).

    The trace of the root is the sum of the roots of the eigenvalues of S_a^(1/2) S_b S_a^(1/2), which are those of the
    product and real; computed in float64. With the Inception network's features of 2,048 dimensions this is FID.

    Args:
        a: (N, F) features.
        b: (M, F) features.

    Raises:
        ValueError: fewer than LEAST samples, or features of other sizes.
    """
    require_pair(a, b, LEAST)
    (mean_a, cov_a), (mean_b, cov_b) = _moments(a), _moments(b)
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    means = (mean_a - mean_b).square().sum()
    return float((means + cov_a.trace() + cov_b.trace() - 2 * trace).clamp(min=0))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (F,) and the covariance (F, F) of features, float64."""
    parts = x.split(ROWS)
    mean = sum(part.double().sum(0) for part in parts) / len(x)
    centred = (part.double() - mean for part in parts)
    return mean, sum(part.T @ part for part in centred) / (len(x) - 1)
