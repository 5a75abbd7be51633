"""Samples of a run, by class, code and truncation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.analysis.reals import available, take
from gan_cli.conditions.base import Unconditional
from gan_cli.config.command_schemas import SampleConfig
from gan_cli.core.text import show
from gan_cli.data.classes import class_number
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.latents.base import Latent
from gan_cli.rng import Draws
from gan_cli.runs import reading
from gan_cli.session.load import Loaded, generator_of
from gan_cli.session.look import open_data
from gan_cli.session.pictures import across, columns, panels_of
from gan_cli.training.norm_statistics import with_whole_statistics
from gan_cli.training.sampling import generate


class Samples(NamedTuple):
    """Samples that are drawn as they are read.

    Attributes:
        batches: the samples, float32 (<= batch_size, ...).
        classes: numbers of the requested classes, or the requested label vectors; [] for none.
        columns: of a grid of them; None: as near to a square as their number allows.
        labels: the class of each sample (count,), or its label vector (count, F); None: the generator reads none.
    """

    batches: Iterator[Tensor]
    classes: list[Any]
    columns: int | None
    labels: Tensor | None


def samples(run: Loaded, config: SampleConfig) -> Samples:
    """Return the samples that a config asks for; of a generator that reads pictures, what it makes of held-out ones.

    Raises:
        UserError: the run cannot generate such samples.
    """
    game, count = run.state.game, config.count
    network = generator_of(run.state, config.weights)
    z = z_of(run, count, config)
    if config.statistics == "whole":
        network = with_whole_statistics(game, network, _prior(run, config))
    chosen = classes_of(run, config)
    if game.task.reads == "image":
        heldout = _heldout(run, config)
        panels = panels_of(game, network, z, heldout, config.batch_size)
        shown = figures.side_by_side(panels, run.shape) if config.format == "grid" else panels[1]
        return Samples(iter([shown]), chosen, across(panels), heldout.y)
    wide = (len(chosen) if len(chosen) > 1 else None) if chosen else columns(game.condition, count)
    y = labels_of(run, chosen, count)
    return Samples(generate(game, network, z, y, config.batch_size), chosen, wide, y)


def labels_of(run: Loaded, chosen: list[Any], count: int) -> Tensor | None:
    """Return count labels: the requested ones, or those that the condition has, in turn; None for a run without any."""
    condition, device = run.state.game.condition, next(run.state.game.parameters()).device
    if not chosen:
        return condition.in_turn(count, device)
    asked = torch.tensor(chosen, device=device)
    return asked[torch.arange(count, device=device) % len(asked)]


def _heldout(run: Loaded, config: SampleConfig) -> Batch:
    """Return held-out samples with their sources.

    Raises:
        UserError: there are fewer, or an odd number of two domains is asked for.
    """
    game, device, count = run.state.game, next(run.state.game.parameters()).device, config.count
    data = open_data(Path(config.run), run)
    most = available(data.heldout)
    if most is not None and count > most:
        raise UserError(f"count={count}: {most} pictures are held out; count={most} or less")
    if game.task.twofold and count % 2:
        raise UserError(f"count={count}: the samples are of two domains, as many of each: count={count + 1}")
    return game.read(take(data.heldout, 0, count), Draws(device, config.seed, "sample"))


def z_of(run: Loaded, count: int, config: SampleConfig) -> Tensor:
    """Return z (count, size) by the config: from the run's prior, within bounds, with given codes.

    Raises:
        UserError: the prior has no such codes, or has its own bounds.
    """
    latent, c = run.state.game.latent, config.c
    z = _prior(run, config).sample(count, Draws(next(run.state.game.parameters()).device, config.seed, "sample"))
    try:
        return z if c is None else latent.with_codes(z, c if isinstance(c, list) else [c])
    except ValueError as error:
        raise UserError(f"c={show(c)}: {error}") from error


def _prior(run: Loaded, config: SampleConfig) -> Latent:
    latent, psi = run.state.game.latent, config.truncation
    try:
        return latent if psi is None else latent.truncated(psi)
    except ValueError as error:
        raise UserError(f"truncation={psi}: {error}; leave truncation out") from error


def classes_of(run: Loaded, config: SampleConfig) -> list[Any]:
    """Return the numbers of the requested classes, or the requested label vectors; [] for all, or for examples.

    Raises:
        UserError: the run has no labels, or not these.
    """
    condition, asked = run.state.game.condition, config.y
    if asked is None:
        return []
    if not condition.needs_labels:
        raise UserError(f"y={show(asked)}: this run was trained without classes (condition=none); leave y out")
    chosen = asked if isinstance(asked, list) else [asked]
    if condition.labels == "binary" and all(isinstance(one, str) for one in chosen):
        tags = open_data(Path(config.run), run).tags
        numbers = {class_number(one, tags.vocabulary if tags else (), f"y={show(asked)}") for one in chosen}
        return [[float(i in numbers) for i in range(condition.n_classes)]]
    if condition.reads_vectors or any(isinstance(one, list) for one in chosen):
        return _vectors(chosen, condition)
    names = run.about.class_names if run.about else reading.class_names(Path(config.run))
    if not names and any(isinstance(one, str) for one in chosen):  # of a run that did not keep them
        names = open_data(Path(config.run), run).class_names
    names = names or list(map(str, range(condition.n_classes)))
    return [class_number(one, names, f"y={show(asked)}") for one in chosen]


def _vectors(chosen: list[Any], condition: Unconditional) -> list[list[float]]:
    size = condition.n_classes
    if not condition.reads_vectors:
        raise UserError(f"y={show(chosen)}: the labels of this run are classes: y=0, or y=[0,1]")
    if not all(isinstance(one, list) and len(one) == size for one in chosen):
        one = ",".join(["0"] * min(size, 8) + ["..."] * (size > 8))
        raise UserError(f"y={show(chosen)}: the labels of this run are vectors of {size} numbers: y=[[{one}]]")
    return chosen
