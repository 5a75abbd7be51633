"""Builds single parts that a config names: its dataset, extractor, kind of exploration and task."""

from __future__ import annotations

import inspect
from typing import Protocol

import torch

from gan_cli.analysis.explore.base import Kind
from gan_cli.config import parts
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.config.schema import Part, RunConfig
from gan_cli.data.in_memory import InMemory
from gan_cli.data.own_samples import OwnSamples
from gan_cli.data.source import Dataset
from gan_cli.degradations.base import Degradation
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, ExtractorChoice
from gan_cli.session.given import Given
from gan_cli.tasks.base import Generate


class HasExtractor(Protocol):
    """A command's request with an extractor."""

    extractor: Part


class HasDataset(Protocol):
    """A command's request with a dataset."""

    dataset: Part


def dataset(config: HasDataset, given: Given | None = None) -> Dataset:
    """Construct the dataset that a config names, unopened; the samples of one in memory are those that Python gives.

    Raises:
        UserError: another kind of class, or samples for a dataset that has its own.
    """
    cls = parts.class_of(config.dataset, "dataset")
    found = parts.build(config.dataset, "dataset", object)
    if not callable(getattr(cls, "open", None)):
        if not (hasattr(cls, "__getitem__") and hasattr(cls, "__len__")):
            raise UserError(
                f"dataset={config.dataset.target}: not a dataset: it must have a length and an item for each "
                "number; see also `gan list dataset`"
            )
        found = OwnSamples(found)
    if given is not None and given.dataset is not None:
        if not isinstance(found, InMemory):
            raise UserError(
                f"dataset: the data of this run are those of its config ({config.dataset.name}); leave it out"
            )
        found.given = given.dataset
    return found


def loaded(chosen: Extractor, device: torch.device) -> Extractor:
    """Load an extractor without moving torch's global random numbers: a network draws weights before it reads them."""
    with torch.random.fork_rng(devices=[]):
        chosen.load(device)
    return chosen


def extractor(config: HasExtractor) -> ExtractorChoice:
    """Construct the extractor that a command's config names, or what chooses it by the data."""
    return parts.build(config.extractor, "extractor", ExtractorChoice)


def kind(config: ExploreConfig) -> Kind:
    """Construct the kind of exploration that `gan explore` is to run."""
    return parts.build(config.kind, "kind", Kind)


def task(config: RunConfig) -> Generate:
    """Construct the task that a config names, with the parts that only it uses.

    Raises:
        UserError: one that it does not use, or lacks.
    """
    accepted = inspect.signature(parts.class_of(config.task, "task")).parameters
    given = {}
    for key, role in (("degradation", Degradation), ("dataset_b", object)):
        part = getattr(config, key)
        if key in accepted:
            if part is None:
                raise UserError(
                    f"task={config.task.name}: needs {key}=OPTION (see `gan list {key.removesuffix('_b')}`)"
                )
            given[key] = parts.build(part, key, role)
        elif part is not None:
            raise UserError(f"{key} ({part.name}): task={config.task.name} does not use it; leave it out")
    return parts.build(config.task, "task", Generate, **given)
