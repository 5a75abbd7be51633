"""Scores that `gan evaluate` measures on request: by splits and within classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import NamedTuple

from torch import Tensor

from gan_cli.analysis.evaluation import Reference, Score
from gan_cli.config.schema import EvaluateConfig
from gan_cli.core.text import show
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features
from gan_cli.metrics.classifier_score import classifier_score_by_splits
from gan_cli.metrics.frechet import frechet_distance

LISTED = 100  # classes that have a line of their own


def further_scores(reference: Reference, fake: Batch, config: EvaluateConfig) -> list[Score]:
    """Return the scores that `splits` and `within_classes` ask for.

    Raises:
        UserError: they cannot be measured, and why.
    """
    extractor, data = reference.extractor, reference.data
    asked = {"splits": config.splits, "within_classes": config.within_classes, "path_length": config.path_length}
    if not (asked := {key: value for key, value in asked.items() if value}):
        return []
    shown = ", ".join(f"{key}={show(value)}" for key, value in asked.items())
    if extractor is None or len(reference.domains) > 1:
        what = "points, which no extractor reads" if extractor is None else "of two domains in turn"
        raise UserError(f"{shown}: the samples are {what}; leave it out")
    first, second = reference.reals.first, reference.reals.second
    features = [reference.features(batch.x) for batch in (first, second, fake)]
    found = [score_by_splits(extractor, features[2], features[1], config.splits)] if config.splits else []
    if config.within_classes:
        if fake.y is None or second.y is None:
            raise UserError(
                "within_classes=true: the fakes have no classes (condition=none, or other names); leave it out"
            )
        labels = zip(features, (first.y, second.y, fake.y), strict=True)
        found += scores_within_classes(extractor, *starmap(Labelled, labels), data.class_names)
    return found


class Labelled(NamedTuple):
    """Features of samples and their classes.

    Attributes:
        features: of N samples.
        y: (N,) int64, or None.
    """

    features: Features
    y: Tensor | None


def score_by_splits(extractor: Extractor, fake: Features, other: Features, splits: int) -> Score:
    """Return the Inception Score, or that of the extractor's classes, as mean and deviation of splits.

    Raises:
        UserError: the extractor has no classes, or there are fewer samples than splits.
    """
    if fake.log_p is None:
        raise UserError(f"splits={splits}: extractor={extractor.name} has no classes; splits=null, or a classifier")
    n = len(fake.x)
    if splits > n:
        raise UserError(f"splits={splits}: there are {n} samples; splits={n} or less")
    (mean, std), (floor, _) = (classifier_score_by_splits(found.log_p, splits) for found in (fake, other))
    name = "inception_score" if extractor.standard else "classifier_score"
    return Score(_named(name, f"{splits}_splits", extractor), mean, floor, 0, n, "features", std=std, better="higher")


def scores_within_classes(
    extractor: Extractor, real: Labelled, other: Labelled, fake: Labelled, names: Sequence[str]
) -> list[Score]:
    """Return the Frechet distance within each class and their mean (intra-FID, Miyato and Koyama 2018).

    Args:
        extractor: that made the features.
        real: the reference.
        other: as many real samples, for the floors.
        fake: generated as the classes that they have here.
        names: of the classes.

    Raises:
        UserError: a class with fewer than two samples of a kind.
    """
    values, floors = [], []
    for i, name in enumerate(names):
        a, b, c = (found.features.x[found.y == i] for found in (real, other, fake))
        if (least := min(len(a), len(b), len(c))) < 2:
            raise UserError(
                f"within_classes=true: of the class {name} there is {least} sample of a kind; a larger count"
            )
        values.append(frechet_distance(a, c))
        floors.append(frechet_distance(a, b))
    base = "fid" if extractor.standard else "frechet_distance"
    n_real, n_fake = len(real.features.x), len(fake.features.x)
    mean = Score(
        _named(base, "within_classes", extractor),
        sum(values) / len(values),
        sum(floors) / len(floors),
        n_real,
        n_fake,
        "features",
        better="lower",
    )
    if len(names) > LISTED:
        return [mean]
    counts = [[int((found.y == i).sum()) for found in (real, fake)] for i in range(len(names))]
    of_classes = [
        Score(f"{mean.name}[{name}]", value, floor, *count, "features", better="lower")
        for name, value, floor, count in zip(names, values, floors, counts, strict=True)
    ]
    return [mean, *of_classes]


def _named(base: str, what: str, extractor: Extractor) -> str:
    return f"{base}_{what}" + ("" if extractor.standard else f"_{extractor.name}")
