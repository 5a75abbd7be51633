"""Mode coverage of a mixture: captured modes, high-quality share, KL from uniform."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.core.curves import Curve

CURVES = (
    Curve(
        "quality/modes",
        "modes",
        "higher",
        "modes of the dataset that samples reach, if the modes are known (ring, grid)",
        chart=("Modes", "captured"),
    ),
    Curve(
        "quality/high_quality_share",
        "share",
        "higher",
        "share of samples within 3 standard deviations of a mode",
        chart=("Modes", "high-quality share"),
    ),
    Curve(
        "quality/kl_to_uniform",
        "nats",
        "lower",
        "divergence of the shares of the modes from equal shares",
        chart=("Modes", "KL to uniform"),
    ),
)

HIGH_QUALITY_STDS = 3.0


class ModeCoverage(NamedTuple):
    """The result of `mode_coverage`.

    Attributes:
        captured: modes with at least one high-quality sample.
        total: number of modes.
        high_quality_share: samples within 3 standard deviations of their nearest mode, over all samples. In two
            dimensions a perfect sampler has 1 - exp(-9/2) = 0.989; a share near 1 means that modes have shrunk.
        kl_to_uniform: KL divergence, in nats, of the high-quality samples' histogram over the modes from the uniform
            one, in [0, log total]; NaN where no sample is of high quality.
    """

    captured: int
    total: int
    high_quality_share: float
    kl_to_uniform: float


@torch.no_grad()
def mode_coverage(samples: Tensor, centres: Tensor, std: float) -> ModeCoverage:
    """Count modes as VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018); both use 2,500 samples.

    Args:
        samples: (N, D), N at least 1; a sample that is not finite has no mode.
        centres: (M, D), the modes.
        std: of each mode, along each axis.

    Raises:
        ValueError: there are no samples or modes, shapes do not match, or the std is not positive.
    """
    if samples.dim() != 2 or centres.dim() != 2 or samples.shape[1] != centres.shape[1]:
        raise ValueError(f"samples {tuple(samples.shape)} and centres {tuple(centres.shape)} must be (N, D) and (M, D)")
    if not len(samples) or not len(centres) or not std > 0:
        raise ValueError(f"{len(samples)} samples, {len(centres)} modes, std {std}: each of these must be positive")
    exact = "donot_use_mm_for_euclid_dist"
    points = samples.to(torch.float64)
    distances = torch.cdist(points, centres.to(points), compute_mode=exact)
    distance, nearest = distances.nan_to_num(nan=math.inf).min(dim=1)
    counts = torch.bincount(nearest[distance <= HIGH_QUALITY_STDS * std], minlength=len(centres))
    good = int(counts.sum())
    return ModeCoverage(
        captured=int((counts > 0).sum()),
        total=len(centres),
        high_quality_share=good / len(samples),
        kl_to_uniform=kl_to_uniform(counts / good) if good else math.nan,
    )


def kl_to_uniform(p: Tensor) -> float:
    """Return the KL divergence of shares p (M,) from equal shares, in nats."""
    p = p.to(torch.float64)
    return float((torch.xlogy(p, p).sum() + math.log(len(p))).clamp(min=0))
