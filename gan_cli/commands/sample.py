"""`gan sample`: draw from a trained generator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.commands._loading import generator_of, load
from gan_cli.errors import UserError
from gan_cli.files import replace_file
from gan_cli.rng import Draws
from gan_cli.training import rundir
from gan_cli.training.pictures import columns
from gan_cli.training.sampling import sample as draw


def sample(settings: dict[str, Any]) -> None:
    """Write a grid, single PNGs or one NPZ of samples; prints where.

    Raises:
        UserError: there is no run, no good checkpoint, or what is asked cannot be drawn from it.
    """
    path = Path(settings["run"])
    state, shape, _ = load(path, settings)
    if len(shape) == 1 and settings["format"] == "png":
        raise UserError("format=png: the samples are points, not images; format=npz")
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
