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
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.checkpoint_files import Checkpoint
from gan_cli.runs.checkpoint_meta import sample_shape, source_shape
from gan_cli.session import build
from gan_cli.session.given import Given
from gan_cli.session.restore import restore
from gan_cli.training.state import TrainState


class Loaded(NamedTuple):
    """A run's networks.

    Attributes:
        state: restored.
        shape: of its samples, (C, H, W) or (D,).
        config: the run's own, checked and resolved.
        source_shape: of what its generator reads beside z, (C', H', W') or (F,); None: it reads z alone.
        given: what Python gave in the place of parts; None: nothing.
    """

    state: TrainState
    shape: tuple[int, ...]
    config: RunConfig
    source_shape: tuple[int, ...] | None = None
    given: Given | None = None


def load(
    path: Path,
    device: str = "auto",
    which: str | int = "latest",
    allow_targets: Sequence[str] = (),
    given: Given | None = None,
) -> Loaded:
    """Rebuild a run's networks; no dataset is needed.

    Args:
        path: the run's directory.
        device: where they are computed: auto, cpu, cuda or cuda:N.
        which: a checkpoint: `latest`, `best`, or a step.
        allow_targets: module prefixes that the command line permits.
        given: what Python gives in the place of parts; None: nothing.

    Raises:
        UserError: there is no run, or no good checkpoint.
    """
    config = validate_saved(directory.read_config(path), allow_targets)
    config = config.replace(runtime=config.runtime.replace(device=device, precision="fp32"))
    found = _checkpoint(path / directory.CHECKPOINTS, which)
    try:
        shape, source = sample_shape(found.meta), source_shape(found.meta)
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


def generator_of(state: TrainState, weights: str) -> torch.nn.Module:
    """Return the generator or its moving average, as `weights` asks: ema, raw or auto.

    Raises:
        UserError: the run keeps no moving average.
    """
    if weights == "ema" and not state.ema:
        raise UserError("weights=ema: this run kept no moving average (train.ema_halflife_images); weights=raw")
    return state.game.generator if weights == "raw" else state.best_generator()


def _checkpoint(folder: Path, which: str | int) -> Checkpoint:
    def warn(text: str) -> None:
        say(text, sys.stderr)

    if which == "best":
        return checkpoint.load_best(folder, warn)
    return checkpoint.load(folder, warn, which if isinstance(which, int) else None)
