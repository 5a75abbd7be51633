"""How the commands that draw from a run rebuild its networks, from its directory alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gan_cli.config import validate
from gan_cli.core import hardware
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.checkpoint import Checkpoint
from gan_cli.runs.checkpoint_meta import sample_shape
from gan_cli.session import build
from gan_cli.training.state import TrainState


class Loaded(NamedTuple):
    """A run's networks.

    Attributes:
        state: restored.
        shape: of its samples, (C, H, W) or (D,).
        settings: the run's own, checked and resolved.
    """

    state: TrainState
    shape: tuple[int, ...]
    settings: dict[str, Any]


def load(path: Path, settings: dict[str, Any]) -> Loaded:
    """Rebuild a run's networks; no dataset is needed.

    Args:
        path: the run's directory.
        settings: `device`, `checkpoint` and `allow_targets` are used.

    Raises:
        UserError: there is no run, or no good checkpoint.
    """
    saved = validate.validate_saved(directory.read_config(path), settings["allow_targets"])
    saved["runtime"] |= {"device": settings["device"], "precision": "fp32"}
    found = _checkpoint(path / directory.CHECKPOINTS, settings["checkpoint"])
    try:
        shape = sample_shape(found.meta)
    except ValueError as error:
        raise UserError(f"{found.path}: {error}") from error
    n_classes = found.meta.get("n_classes", 0)
    plan = build.check(saved, shape, n_classes)
    try:
        build.outline(plan.settings, shape, n_classes).check_fit(found.tensors)  # before memory is taken for networks
    except ValueError as error:
        raise UserError(f"{found.path} does not fit the config beside it: {error}") from error
    hardware.apply(plan.settings["runtime"])
    state = build.state(plan.settings, shape, plan.device, n_classes)
    state.restore(found)
    return Loaded(state, shape, plan.settings)


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
        print(text, file=sys.stderr)

    if which == "best":
        return checkpoint.load_best(folder, warn)
    return checkpoint.load(folder, warn, which if isinstance(which, int) else None)
