"""`gan sample`: draw from a trained generator."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli import build, config, hardware
from gan_cli.analysis import figures
from gan_cli.errors import UserError
from gan_cli.files import replace_file
from gan_cli.rng import Draws
from gan_cli.training import checkpoint, rundir
from gan_cli.training.checkpoint import Checkpoint
from gan_cli.training.meta import sample_shape
from gan_cli.training.pictures import columns
from gan_cli.training.sampling import sample as draw
from gan_cli.training.state import TrainState


def sample(settings: dict[str, Any]) -> None:
    """Write a grid, single PNGs or one NPZ of samples; prints where.

    Raises:
        UserError: there is no run, no good checkpoint, or what is asked cannot be drawn from it.
    """
    path = Path(settings["run"])
    state = load_generator(path, settings)
    network = generator_of(state, settings["weights"])
    device = next(state.game.parameters()).device
    draws = Draws(device, settings["seed"], "sample")
    batches = draw(state.game, network, settings["count"], draws, settings["batch_size"])
    out = _target(path, settings, state.step)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if settings["format"] == "grid":
            _write_grid(out, batches, columns(state.game.condition, settings["count"]))
        else:
            _WRITERS[settings["format"]](out, batches, settings["count"])
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error
    print(out)


def load_generator(path: Path, settings: dict[str, Any]) -> TrainState:
    """Rebuild a run's networks from its directory alone; no dataset is needed."""
    saved = config.validate_saved(rundir.read_config(path), settings["allow_targets"])
    saved["runtime"] |= {"device": settings["device"], "precision": "fp32"}
    found = _checkpoint(path / rundir.CHECKPOINTS, settings["checkpoint"])
    try:
        shape = sample_shape(found.meta)
    except ValueError as error:
        raise UserError(f"{found.path}: {error}") from error
    if len(shape) == 1 and settings["format"] == "png":
        raise UserError("format=png: the samples are points, not images; format=npz")
    n_classes = found.meta.get("n_classes", 0)
    plan = build.check(saved, shape, n_classes)
    try:
        build.outline(plan.settings, shape, n_classes).check_fit(found.tensors)  # before memory is taken for networks
    except ValueError as error:
        raise UserError(f"{found.path} does not fit the config beside it: {error}") from error
    hardware.apply(plan.settings["runtime"])
    state = build.state(plan.settings, shape, plan.device, n_classes)
    state.restore(found)
    return state


def _checkpoint(folder: Path, which: str | int) -> Checkpoint:
    def warn(text: str) -> None:
        print(text, file=sys.stderr)

    if which == "best":
        return checkpoint.load_best(folder, warn)
    return checkpoint.load(folder, warn, which if isinstance(which, int) else None)


def generator_of(state: TrainState, weights: str) -> torch.nn.Module:
    """Return the generator or its moving average, as `weights` asks: ema, raw or auto.

    Raises:
        UserError: the run keeps no moving average.
    """
    if weights == "ema" and not state.ema:
        raise UserError("weights=ema: this run kept no moving average (train.ema_halflife_images); weights=raw")
    return state.game.generator if weights == "raw" else state.best_generator()


def _target(run: Path, settings: dict[str, Any], step: int) -> Path:
    if settings["out"]:
        return Path(settings["out"])
    suffix = {"grid": ".png", "png": "", "npz": ".npz"}[settings["format"]]
    return run / rundir.SAMPLES / f"step_{step:010d}_seed_{settings['seed']}_count_{settings['count']}{suffix}"


def _write_grid(out: Path, batches: Iterator[Tensor], columns: int | None) -> None:
    x = torch.cat(list(batches))
    picture = figures.image_grid(x, columns) if x.dim() == 4 else figures.points_figure(None, x, None)
    figures.save_png(out, picture)


def _write_pngs(out: Path, batches: Iterator[Tensor], count: int) -> None:
    out.mkdir(exist_ok=True)
    for i, image in enumerate(image for batch in batches for image in batch):
        figures.save_png(out / f"{i:0{len(str(count - 1))}d}.png", figures.to_uint8(image[None])[0])


def _write_npz(out: Path, batches: Iterator[Tensor], count: int) -> None:
    """One array `samples`: images uint8 (N, H, W, 3), or points float32 (N, D)."""
    arrays = [figures.to_uint8(x) if x.dim() == 4 else x.cpu().numpy() for x in batches]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, samples=np.concatenate(arrays))
    replace_file(out, [buffer.getvalue()])


_WRITERS = {"png": _write_pngs, "npz": _write_npz}
