"""Scores of a set of fakes against a set of reals, each beside what another set of reals would get."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.extractors.base import Extractor, Features
from gan_cli.metrics.classifier_score import classifier_score
from gan_cli.metrics.frechet import frechet_distance
from gan_cli.metrics.kid import kernel_distance
from gan_cli.metrics.manifold import manifold
from gan_cli.metrics.modes import mode_coverage
from gan_cli.metrics.transport import exact_w1, sliced_w1


class Score(NamedTuple):
    """A number and what it goes with.

    Attributes:
        name: such as frechet_distance_fashion_mnist.
        value: of the fakes.
        floor: of as many other reals in their place; None where that has no meaning.
        n_real: real samples compared with.
        n_fake: fakes, and other reals for the floor.
        better: `low`, `high`, or `floor`: the nearer to it the better.
        space: where distances are taken.
    """

    name: str
    value: float
    floor: float | None
    n_real: int
    n_fake: int
    better: str
    space: str


def extract(extractor: Extractor, images: Tensor, batch_size: int) -> Features:
    """Return the features of images (N, C, H, W) in [-1, 1], some at a time."""
    parts = [extractor(part) for part in images.split(batch_size)]
    log_p = None if parts[0].log_p is None else torch.cat([part.log_p for part in parts])
    return Features(torch.cat([part.x for part in parts]), log_p)


def feature_scores(extractor: Extractor, real: Features, other: Features, fake: Features) -> list[Score]:
    """Compare in the extractor's space; only the Inception network's scores go by the literature's plain names.

    Args:
        extractor: that made the features.
        real: of the reference.
        other: of as many other reals, for the floor.
        fake: of the fakes.
    """
    own = "" if extractor.standard else f"_{extractor.name}"
    named = {"fid": "frechet_distance", "inception_score": "classifier_score"}

    def score(name: str, value: float, floor: float, better: str) -> Score:
        name = name if extractor.standard else named.get(name, name) + own
        return Score(name, value, floor, len(real.x), len(fake.x), better, "features")

    def both(name: str, measure: Callable[[Tensor, Tensor], float], better: str) -> Score:
        return score(name, measure(real.x, fake.x), measure(real.x, other.x), better)

    scores = [both("fid", frechet_distance, "low"), both("kid", kernel_distance, "low")]
    if fake.log_p is not None:
        values = (classifier_score(log_p) for log_p in (fake.log_p, other.log_p))
        scores.append(score("inception_score", *values, "floor"))
    found, floor = manifold(real.x, fake.x), manifold(real.x, other.x)
    return scores + [score(name, getattr(found, name), getattr(floor, name), "floor") for name in found._fields]


def transport_scores(real: Tensor, other: Tensor, fake: Tensor, w1_count: int) -> list[Score]:
    """Compare the samples themselves, flattened: exactly on the first `w1_count`, on projections of all."""
    space = "pixels" if real.dim() == 4 else "points"
    n, m = len(real), min(w1_count, len(real))
    return [
        Score("sliced_w1", sliced_w1(real, fake), sliced_w1(real, other), n, n, "low", space),
        Score("exact_w1", exact_w1(real[:m], fake[:m]), exact_w1(real[:m], other[:m]), m, m, "low", space),
    ]


def mode_scores(other: Tensor, fake: Tensor, centres: Tensor, std: float) -> list[Score]:
    """Count the modes of a mixture that is known."""
    found, floor = mode_coverage(fake, centres, std), mode_coverage(other, centres, std)
    space = f"points, {found.total} modes"
    return [
        Score("modes", float(found.captured), float(floor.captured), 0, len(fake), "high", space),
        Score("high_quality_share", found.high_quality_share, floor.high_quality_share, 0, len(fake), "floor", space),
        Score("kl_to_uniform", found.kl_to_uniform, floor.kl_to_uniform, 0, len(fake), "low", space),
    ]
