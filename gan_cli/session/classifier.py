"""Trains a classifier of a labelled dataset, and writes it as an extractor for that data."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
import yaml

from gan_cli.analysis.classifying import Augmentation, new_classifier, right_of, train
from gan_cli.config.command_schemas import ClassifierConfig
from gan_cli.core.files import replace_file
from gan_cli.core.places import place, writing
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.extractors.classifier import DESCRIPTION, WEIGHTS, Description
from gan_cli.runs.directory import slug, used
from gan_cli.session import runtime, single_parts
from gan_cli.session.compatibility import place_of_labels
from gan_cli.session.given import Given

ROOT = Path("classifiers")


class Trained(NamedTuple):
    """A classifier that was trained.

    Attributes:
        path: its directory, for extractor=classifier extractor.path=PATH.
        accuracy: share of the held-out images that it classifies rightly.
        of_classes: likewise for each class by name, and the number of held-out images; a class without is left out.
        description: what classifier.yaml holds.
    """

    path: Path
    accuracy: float
    of_classes: dict[str, tuple[float, int]]
    description: Description


def name_for(config: ClassifierConfig, choices: Mapping[str, str]) -> str:
    """Return the name of a classifier without a directory: that of its pictures' directory, or the dataset's."""
    place = config.dataset.arguments.get("path")
    return slug(Path(place).resolve().stem) if place else choices.get("dataset", "data")


def train_classifier(
    config: ClassifierConfig, name: str, show: Callable[[str], None], given: Given | None = None
) -> Trained:
    """Train a classifier on a dataset's training split, judge it on the held-out one, and write it.

    Args:
        config: of the command.
        name: of the dataset, for a directory that is not named.
        show: gets lines about the progress.
        given: what Python gives in the place of the dataset; None: nothing.

    Raises:
        UserError: no labelled images to learn from, or a directory that is in use.
    """
    path = place(config.out, ROOT, name)
    if used(path) if path.is_dir() else path.exists():
        raise UserError(f"out={path} is not empty; choose another out=DIRECTORY")
    device = torch.device(runtime.device_of(config.device))
    data = _opened(config, device, given)
    names, n = list(data.class_names), data.train.size
    shape = " x ".join(map(str, data.shape))
    for note in data.notes:
        show(note)
    show(f"{len(names)} classes, {n:,} images of {shape} to learn from, {data.heldout.size:,} held out")
    network = new_classifier(data.shape, len(names), config.width, config.seed, device)

    def draw(k: int) -> Batch:
        return data.train.batch(*data.train.draw(k))

    a_epoch = n // config.batch_size
    losses = train(network, draw, config.epochs * a_epoch, config.seed, Augmentation(config.flip))
    for step, loss in enumerate(losses, 1):
        if step % a_epoch == 0:
            show(f"epoch {step // a_epoch} of {config.epochs}: loss {loss:.3f}")
    right, y = right_of(network, data.heldout)
    accuracy = float(right.double().mean())
    content = safetensors.torch.save({key: t.cpu().contiguous() for key, t in network.state_dict().items()})
    description = Description(
        name=re.sub(r"\W", "_", path.resolve().name),
        classes=names,
        channels=data.shape[0],
        side=data.shape[1] if data.shape[1] == data.shape[2] else list(data.shape[1:]),
        width=config.width,
        halvings=network.halvings,
        sha256=hashlib.sha256(content).hexdigest(),
        about={
            "data": data.fingerprint,
            "train_images": n,
            "heldout_images": len(y),
            "heldout_accuracy": accuracy,
            "epochs": config.epochs,
            "seed": config.seed,
            "torch": torch.__version__,
        },
    )
    _write(path, content, description)
    shares = {name: (right[y == i].double(), int((y == i).sum())) for i, name in enumerate(names)}
    of_classes = {name: (float(found.mean()), count) for name, (found, count) in shares.items() if count}
    return Trained(path, accuracy, of_classes, description)


def _opened(config: ClassifierConfig, device: torch.device, given: Given | None) -> RealData:
    """Open the dataset, and require labelled images, a fixed number of them."""
    found = single_parts.dataset(config, given)
    shown = f"dataset={config.dataset.name}"
    if len(found.expected_shape()) != 3:
        raise UserError(f"{shown}: a classifier reads images, and these samples are points; use dataset=folder")
    try:
        data = found.open(config.batch_size, config.seed, device)
    except UserError as error:
        raise UserError(str(error).replace("train.batch_size", "batch_size")) from error
    if data.class_names is None or len(data.class_names) < 2:
        known = place_of_labels(found)
        raise UserError(
            f"{shown}: a classifier needs at least two classes, as one sub-folder each{known and '; '}{known}"
        )
    if data.train.size is None:
        raise UserError(f"{shown}: these images are endless; classify the set that they are made of")
    if min(data.shape[1:]) < 8:
        sides = " x ".join(map(str, data.shape[1:]))
        raise UserError(f"{shown}: a classifier reads images of at least 8 pixels a side, and these are {sides}")
    return data


def _write(path: Path, weights: bytes, description: Description) -> None:
    text = "# A classifier of `gan classifier`, for extractor=classifier extractor.path=THIS DIRECTORY\n"
    text += yaml.safe_dump(description.model_dump(), sort_keys=False, allow_unicode=True)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        replace_file(path / WEIGHTS, [weights])
        replace_file(path / DESCRIPTION, [text.encode()])
