"""Rebuilds a run's networks from its directory alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from gan_cli.config.schema import RunConfig
from gan_cli.config.validate import validate_saved
from gan_cli.core.text import say
from gan_cli.errors import UserError
from gan_cli.models.absent import Absent
from gan_cli.runs import checkpoint, directory, exported
from gan_cli.runs.checkpoint_files import Checkpoint
from gan_cli.runs.checkpoint_meta import shapes
from gan_cli.session import build
from gan_cli.session.given import Given
from gan_cli.session.restore import restore
from gan_cli.training.state import TrainState, below
from gan_cli.training.state_checks import check_finite, check_tensors


class Loaded(NamedTuple):
    """A run's networks.

    Attributes:
        state: restored.
        shape: of its samples, (C, H, W) or (D,).
        config: the run's own, checked and resolved.
        source_shape: of what its generator reads beside z, (C', H', W') or (F,); None: it reads z alone.
        given: what Python gave in the place of parts; None: nothing.
        about: what an exported generator says of itself; None: it is a run.
    """

    state: TrainState
    shape: tuple[int, ...]
    config: RunConfig
    source_shape: tuple[int, ...] | None = None
    given: Given | None = None
    about: exported.About | None = None


def load(
    path: Path,
    device: str = "auto",
    which: str | int = "latest",
    allow_targets: Sequence[str] = (),
    given: Given | None = None,
) -> Loaded:
    """Rebuild a run's networks, or an exported generator; no dataset is needed.

    Args:
        path: the run's directory, or the export's.
        device: where they are computed: auto, cpu, cuda or cuda:N.
        which: a checkpoint: `latest`, `best`, or a step.
        allow_targets: module prefixes that the command line permits.
        given: what Python gives in the place of parts; None: nothing.

    Raises:
        UserError: there is no run, or no good checkpoint.
    """
    if exported.is_export(path):
        return _load_exported(path, device, which, allow_targets, given)
    config = _on(validate_saved(directory.read_config(path), allow_targets), device)
    found = _checkpoint(path / directory.CHECKPOINTS, which)
    try:
        shape, source = shapes(found.meta)
    except ValueError as error:
        raise UserError(f"{found.path}: {error}") from error
    n_classes = found.meta.get("n_classes", 0)
    plan = build.check(config, shape, n_classes, source, given)
    try:
        plan.parts.task.recall(found.meta.get("task") or {})
        plan.outline(shape, n_classes, source).check_fit(found.tensors)  # before memory is taken for networks
    except ValueError as error:
        raise UserError(f"{found.path} does not fit the config beside it: {error}") from error
    state = plan.state_for(shape, n_classes, source)
    restore(state, found)
    return Loaded(state, shape, plan.config, plan.shapes(shape, n_classes, source).source, given)


def _load_exported(
    path: Path, device: str, which: str | int, allow_targets: Sequence[str], given: Given | None
) -> Loaded:
    if which != "latest":
        raise UserError(f"checkpoint={which}: {path} is an exported generator, and has one state; leave it out")
    about, tensors = exported.read(path)
    config = _on(validate_saved(about.config, allow_targets), device)
    if (about.weights == "ema") is not bool(config.train.ema_halflife_images):
        raise UserError(f"{path}: its weights are {about.weights}, and its config says otherwise")
    sizes = about.sample_shape, about.n_classes, about.source_shape
    plan = build.check(config, *sizes, given)
    try:
        plan.parts.task.recall(about.task)
        check_tensors(tensors, exported_tensors(plan.outline(*sizes)))  # before memory is taken for networks
        state = plan.state_for(*sizes)
        network = state.best_generator()
        network.load_state_dict(below(tensors, "generator."))
        state.game.task.load_state_dict(below(tensors, "task."))
        state.game.condition.load_state_dict(below(tensors, "condition."))
        check_finite([network])
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path / exported.WEIGHTS} does not fit the config beside it: {error}") from error
    if state.ema:
        state.game.generator = Absent().to(plan.device)
    state.step = about.step
    return Loaded(state, about.sample_shape, plan.config, plan.shapes(*sizes).source, given, about)


def exported_tensors(state: TrainState, network: torch.nn.Module | None = None) -> dict[str, torch.Tensor]:
    """Return what an export holds: tensors of the generator or its moving average, of the task and the condition."""
    game = state.game
    parts = {"generator": network or state.best_generator(), "task": game.task, "condition": game.condition}
    return {f"{name}.{key}": t for name, part in parts.items() for key, t in part.state_dict().items()}


def _on(config: RunConfig, device: str) -> RunConfig:
    """Return the config for another device than the run's own, whose engine may need a GPU."""
    return config.replace(runtime=config.runtime.replace(device=device, precision="fp32", engine="auto"))


def generator_of(state: TrainState, weights: str) -> torch.nn.Module:
    """Return the generator or its moving average, as `weights` asks: ema, raw or auto.

    Raises:
        UserError: the run keeps no moving average.
    """
    if weights == "ema" and not state.ema:
        raise UserError("weights=ema: this run kept no moving average (train.ema_halflife_images); weights=raw")
    if weights == "raw" and isinstance(state.game.generator, Absent):
        raise UserError("weights=raw: the moving average was exported, and nothing else; weights=ema")
    return state.game.generator if weights == "raw" else state.best_generator()


def _checkpoint(folder: Path, which: str | int) -> Checkpoint:
    def warn(text: str) -> None:
        say(text, sys.stderr)

    if which == "best":
        return checkpoint.load_best(folder, warn)
    return checkpoint.load(folder, warn, which if isinstance(which, int) else None)
