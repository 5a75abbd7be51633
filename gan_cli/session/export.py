"""Writes a run's generator for other programs, without critic and optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gan_cli.config import parts
from gan_cli.config.command_schemas import ExportConfig
from gan_cli.config.identity import PLACES
from gan_cli.config.schema import CONSTANT, SUITABLE, Optimizer, Part, RunConfig
from gan_cli.config.validate import validate_saved
from gan_cli.core.places import place
from gan_cli.data.in_memory import InMemory
from gan_cli.errors import UserError
from gan_cli.models.two_domains import TwoDomains
from gan_cli.runs import exported
from gan_cli.session import build
from gan_cli.session.card import card
from gan_cli.session.given import Given
from gan_cli.session.graphs import SUFFIXES, write_graph
from gan_cli.session.load import Loaded, exported_tensors, generator_of, load
from gan_cli.session.look import open_data
from gan_cli.training.norm_statistics import with_whole_statistics

EXPORTS = "exports"
_OF_A_CARD = ("count", "w1_count", "split", "seed", "batch_size", "extractor")
_SGD = Part.of("torch.optim.SGD", {"lr": 0.01})
_ABSENT = Part.of("gan_cli.models.absent.Absent", {})


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: a file, or a directory.
        difference: the largest of a graph's samples from the generator's; None where no graph was written.
        notes: what a model card lacks, and why.
    """

    path: Path
    difference: float | None = None
    notes: Sequence[str] = ()


def refuse_unused(format: str, keys: Iterable[str]) -> None:
    """Refuse keys that would have no effect.

    Args:
        format: of the export.
        keys: those that are given, dotted.

    Raises:
        UserError: the first of them.
    """
    for key in keys if format != "hub" else ():
        if key.partition(".")[0] in _OF_A_CARD:
            raise UserError(f"{key}: is for a model card, and format={format} has none: format=hub, or leave it out")


def export(config: ExportConfig, given: Given | None = None) -> Exported:
    """Write a run's generator, or an exported one, as a graph or as a directory.

    Args:
        config: of the command.
        given: what Python gives in the place of parts; None: nothing.

    Raises:
        UserError: there is no run or no good checkpoint, libraries are missing, or nothing can be written there.
        GanError: a graph makes other samples than the generator.
    """
    path = Path(config.run)
    run = load(path, config.device, config.checkpoint, config.allow_targets, given)
    network, is_graph = generator_of(run.state, config.weights), config.format in SUFFIXES
    about = _about(path, run, network)
    if config.statistics == "whole":
        network = with_whole_statistics(run.state.game, network, run.state.game.latent)
        about = about._replace(statistics="whole")
    parts_of_name = [f"step_{about.step:010d}", about.weights, *([config.direction] if config.direction else [])]
    named = "_".join([*parts_of_name, *(["whole"] if about.statistics == "whole" else [])])
    named += SUFFIXES.get(config.format, "_hub" if config.format == "hub" else "")
    out = place(config.out, path, EXPORTS, named, suffixes=[SUFFIXES[config.format]] if is_graph else [])
    if is_graph:
        network = _one_way(network, config)
        facts = {key: value for key, value in about._asdict().items() if key not in ("config", "trained_with", "task")}
        return Exported(out, write_graph(config.format, run, network, out, facts | {"prior": about.config["latent"]}))
    if config.direction is not None:
        raise UserError(f"direction={config.direction}: format={config.format} holds both directions; leave it out")
    exported.require_new(out)
    tensors = _tensors(run, network, about, given)
    others, notes = card(run, about, config) if config.format == "hub" else ({}, ())
    exported.write(out, about, tensors, others)
    return Exported(out, notes=notes)


def _one_way(network: torch.nn.Module, config: ExportConfig) -> torch.nn.Module:
    """Return a generator of one direction."""
    if isinstance(network, TwoDomains):
        return getattr(network, (config.direction or "a_to_b")[-1])
    if config.direction is not None:
        raise UserError(f"direction={config.direction}: this run translates in one direction; leave direction out")
    return network


def _about(path: Path, run: Loaded, network: torch.nn.Module) -> exported.About:
    if run.about is not None:  # an export of an export
        return run.about
    state, config = run.state, run.config
    weights = "raw" if network is state.game.generator else "ema"
    names = None
    if state.game.condition.needs_labels:
        try:
            names = open_data(path, run).class_names
        except UserError:  # the data alone have the names; their numbers do without
            names = None
    return exported.About(
        step=state.step,
        weights=weights,
        statistics="running",
        sample_shape=run.shape,
        source_shape=None if run.source_shape == state.game.task.source_shape(run.shape) else run.source_shape,
        n_classes=getattr(state.game.condition, "n_classes", 0) if state.game.condition.needs_labels else 0,
        class_names=names,
        task=state.game.task.meta(),
        config=_public(generator_alone(config, weights)),
        trained_with=_public(config),
    )


def generator_alone(config: RunConfig, weights: str) -> RunConfig:
    """Return a config from which the generator is built as it was, and nothing of the user's own for the critic.

    Args:
        config: of the run, resolved.
        weights: ema or raw: which of the generator's weights there are.
    """
    task, in_memory = config.task, Part.of(f"{InMemory.__module__}.{InMemory.__name__}", {})
    if "history" in task.arguments:
        task = task.replace(history=0)  # its earlier images are the critic's
    train = config.train.replace(accumulate=1)
    return config.replace(
        init_from=None,
        init_weights="auto",
        freeze=[],
        train=train if weights == "ema" else train.replace(ema_halflife_images=None),
        model=config.model.replace(critic=_ABSENT, code_size=None),
        optimizer=Optimizer(lr=0.01, generator=_SGD, critic=_SGD),
        loss=Part.of("gan_cli.losses.minimax.Minimax", {}),
        constraint=Part.of("gan_cli.constraints.base.Constraint", {}),
        updates=Part.of("gan_cli.updates.alternating.Alternating", {}),
        input=Part.of("gan_cli.inputs.base.Input", {}),
        task=task,
        schedule=CONSTANT,
        dataset=in_memory if parts.is_own(config.dataset) else config.dataset,
        extractor=SUITABLE if parts.is_own(config.extractor) else config.extractor,
    )


def _public(config: RunConfig) -> dict[str, Any]:
    """Return settings without paths of this machine: of the data's, the last name."""
    plain = config.replace(run_dir=None, resume="never", force=False, allow_targets=[]).plain()
    for group, _, name in (key.partition(".") for key in PLACES):
        part = plain.get(group)
        if part and part.get(name):
            part[name] = Path(part[name]).name
    if plain["init_from"]:
        plain["init_from"] = Path(plain["init_from"]).name
    return plain


def _tensors(
    run: Loaded, network: torch.nn.Module, about: exported.About, given: Given | None
) -> dict[str, torch.Tensor]:
    """Return what an export holds, which is what its config builds."""
    config = validate_saved(about.config, run.config.allow_targets)
    sizes = about.sample_shape, about.n_classes, about.source_shape
    alone = given._replace(critic=None) if given else None
    expected = exported_tensors(build.check(config, *sizes, alone).outline(*sizes))
    found = exported_tensors(run.state, network)
    return {name: found[name] for name in expected}
