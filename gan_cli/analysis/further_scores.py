"""Scores that `gan evaluate` measures on request: by splits, within classes, and what a classifier learns."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import starmap
from typing import NamedTuple

from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis.classifying import Augmentation, new_classifier, right, train
from gan_cli.analysis.evaluation import Reference
from gan_cli.analysis.score import Score
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.core.text import show
from gan_cli.data.loader import Order
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features
from gan_cli.metrics.classifier_score import classifier_score_by_splits
from gan_cli.metrics.frechet import LEAST, frechet_distance

LISTED = 100  # classes that have a line of their own
WIDTH, BATCH = 16, 128  # of the classifiers of the classification accuracy score


def further_scores(reference: Reference, fake: Batch, config: EvaluateConfig) -> list[Score]:
    """Return the scores that `splits`, `within_classes` and `classification_epochs` ask for.

    Raises:
        UserError: they cannot be measured, and why.
    """
    extractor, data = reference.extractor, reference.data
    keys = ("splits", "within_classes", "classification_epochs", "path_length")
    if not (asked := {key: value for key in keys if (value := getattr(config, key))}):
        return []
    shown = ", ".join(f"{key}={show(value)}" for key, value in asked.items())
    if extractor is None or len(reference.domains) > 1:
        what = "points, which no extractor reads" if extractor is None else "of two domains in turn"
        raise UserError(f"{shown}: the samples are {what}; leave it out")
    first, second = reference.reals.first, reference.reals.second
    of_classes = {key: value for key, value in asked.items() if key in keys[1:3]}
    if of_classes and (fake.y is None or second.y is None or data.class_names is None):
        shown = ", ".join(f"{key}={show(value)}" for key, value in of_classes.items())
        raise UserError(f"{shown}: the fakes have no classes (condition=none, or other names); leave it out")
    found = []
    if config.splits or config.within_classes:
        features = [reference.features(batch.x) for batch in (first, second, fake)]
    if config.splits:
        found.append(score_by_splits(extractor, features[2], features[1], config.splits))
    if config.within_classes:
        labels = zip(features, (first.y, second.y, fake.y), strict=True)
        found += scores_within_classes(extractor, *starmap(Labelled, labels), data.class_names)
    if config.classification_epochs:
        found.append(classification_score(fake, first, second, len(data.class_names), config))
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
        UserError: a class with too few samples of a kind.
    """
    values, floors = [], []
    for i, name in enumerate(names):
        a, b, c = (found.features.x[found.y == i] for found in (real, other, fake))
        if min(len(a), len(b), len(c)) < LEAST:
            raise UserError(
                f"within_classes=true: among {len(real.y)} samples of each kind, class {name} has {len(a)} real, "
                f"{len(b)} other real and {len(c)} fake; {LEAST} of each are needed: a larger count, if there are more "
                "images"
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


def classification_score(fake: Batch, real: Batch, other: Batch, n_classes: int, config: EvaluateConfig) -> Score:
    """Return the accuracy on real images of a classifier that has learnt from fakes alone (Ravuri and Vinyals 2019).

    The authors train a ResNet-50 on as many images as ImageNet has; here it is the network of `gan classifier`, which
    learns from as many fakes as there are real images. The floor is that of one that has learnt from real images.

    Args:
        fake: images and the classes that they were asked to have.
        real: as many real ones, which the other classifier learns from.
        other: real images on which both are judged.
        n_classes: of the data.
        config: `classification_epochs` and `seed` are used.
    """
    value, floor = (_accuracy(batch, other, n_classes, config) for batch in (fake, real))
    name = f"classification_accuracy_score_{config.classification_epochs}_epochs"
    return Score(name, value, floor, len(other.x), len(fake.x), "classes", better="higher")


def _accuracy(learnt: Batch, judged: Batch, n_classes: int, config: EvaluateConfig) -> float:
    n, device = len(learnt.x), learnt.x.device
    network = new_classifier(learnt.x.shape[1:], n_classes, WIDTH, config.seed, device)
    order = Order(n, min(BATCH, n), config.seed, "classification", device)

    def draw(k: int) -> Batch:
        rows = order.indices(k)
        return Batch(learnt.x[rows], learnt.y[rows])

    steps = config.classification_epochs * order.batches_per_epoch
    losses = train(network, draw, steps, config.seed, Augmentation(flip=False))
    deque(tqdm(losses, "classifier", steps, unit="step", leave=False, disable=None), maxlen=0)
    return float(right(network, judged.x, judged.y).double().mean())


def _named(base: str, what: str, extractor: Extractor) -> str:
    return f"{base}_{what}" + ("" if extractor.standard else f"_{extractor.name}")
