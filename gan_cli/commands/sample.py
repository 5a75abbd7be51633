"""Draw from a trained generator."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.commands._sample_npz import write_npz
from gan_cli.commands._sample_pictures import apply
from gan_cli.config.arguments import CommandLine, key_of
from gan_cli.config.command_schemas import SampleConfig
from gan_cli.core.files import replace_file
from gan_cli.core.places import place, require_suffix, writing
from gan_cli.core.text import say, show
from gan_cli.data.loader import to_bytes
from gan_cli.data.unused import summary
from gan_cli.errors import UserError
from gan_cli.runs.contents import SAMPLES
from gan_cli.session.applying import pictures_at
from gan_cli.session.load import Loaded, generator_of, load
from gan_cli.session.samples import Samples, classes_of, labels_of, samples, z_of
from gan_cli.training.game import Game


def sample(config: SampleConfig, line: CommandLine) -> None:
    """Write a grid, single PNGs or one NPZ of samples, or what a run makes of pictures, and print the path.

    Raises:
        UserError: there is no run, no intact checkpoint, or the run cannot generate such samples.
    """
    path = Path(config.run)
    require_suffix(config.out, _suffixes(config))
    run = load(path, config.device, config.checkpoint, config.allow_targets)
    if config.format == "png" and config.source is None and (len(run.shape) == 1 or run.shape[0] not in (1, 3)):
        what = (
            "points, not images" if len(run.shape) == 1 else f"images of {run.shape[0]} channels, and a PNG has 1 or 3"
        )
        raise UserError(f"format=png: the samples are {what}; use format=npz")
    game = run.state.game
    _refuse(game, config, line)
    chosen = classes_of(run, config)
    out = place(config.out, path, SAMPLES, _name(run, chosen, config), suffixes=_suffixes(config))
    if config.source is not None:
        files, unused = pictures_at(config.source)
        n = len(files)
        say(apply(run, config, files, z_of(run, n, config), labels_of(run, chosen, n), out))
        if unused:
            say(f"gan: source={config.source}: not used: {summary(unused)}", sys.stderr)
        return
    drawn = samples(run, config)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[config.format](out, drawn, config)
    say(out)


_EACH = "source= writes one picture for each picture"
_NOT_WITH_SOURCE = {"statistics": "the inputs of this generator are pictures, not z"}


def _refuse(game: Game, config: SampleConfig, line: CommandLine) -> None:
    """Refuse keys that would have no effect, and pictures for a generator that reads none.

    Raises:
        UserError: the first of them.
    """
    typed = {key_of(word) for word in line.overrides}
    if config.labels and not game.condition.needs_labels:
        raise UserError("labels=true: this run was trained without classes (condition=none); leave labels out")
    if config.labels and config.format != "npz":
        raise UserError(f"labels=true: format={config.format} has no place for them; use format=npz")
    if config.source is None:
        for key in ("direction", "degrade", "tile"):
            if key in typed:
                raise UserError(f"{key}={show(getattr(config, key))}: it is for your own pictures; add source=DIR")
        if game.task.reads == "image" and game.condition.needs_labels and config.y is not None:
            raise UserError(f"y={show(config.y)}: held-out pictures have their own classes; add source=DIR for others")
        return
    if game.task.reads != "image":
        raise UserError(f"source={config.source}: this run's generator reads no pictures; leave source out")
    for key in ("count", "format", "labels", "statistics"):
        if key in typed:
            raise UserError(f"{key}={show(getattr(config, key))}: {_NOT_WITH_SOURCE.get(key, _EACH)}; leave {key} out")
    if game.condition.needs_labels and config.y is None:
        what, fix = ("label vector", "[[NUMBERS]]") if game.condition.reads_vectors else ("class", "CLASS")
        raise UserError(f"this run's generator reads a {what} beside the picture; add y={fix}")


def _suffixes(config: SampleConfig) -> list[str]:
    """Return the suffixes that the file may have; [] where a directory is written."""
    return [] if config.source else {"grid": list(figures.SUFFIXES), "png": [], "npz": [".npz"]}[config.format]


def _name(run: Loaded, chosen: list[Any], config: SampleConfig) -> str:
    """Return a file name that is different for different samples."""
    what = f"count_{config.count}" if config.source is None else Path(config.source).resolve().name
    parts = [f"step_{run.state.step:010d}_seed_{config.seed}_{what}"]
    parts += [config.direction] * (config.direction is not None) + ["degraded"] * config.degrade
    if run.state.ema and generator_of(run.state, config.weights) is run.state.game.generator:
        parts.append("raw")
    parts += ["whole"] * (config.statistics == "whole")
    if chosen and run.state.game.condition.reads_vectors:
        parts.append(f"y_{hashlib.sha256(repr(chosen).encode()).hexdigest()[:8]}")
    elif chosen:
        asked = config.y if isinstance(config.y, list) else [config.y]
        typed = (one if isinstance(one, int) else number for one, number in zip(asked, chosen, strict=True))
        parts.append("y_" + "+".join(map(str, typed)))
    if (c := config.c) is not None:
        parts.append("c_" + "+".join("null" if v is None else f"{v:g}" for v in (c if isinstance(c, list) else [c])))
    if config.truncation is not None:
        parts.append(f"truncation_{config.truncation}")
    return "_".join(parts) + ("" if config.source else {"grid": ".png", "png": "", "npz": ".npz"}[config.format])


def _write_grid(out: Path, drawn: Samples, config: SampleConfig) -> None:
    x = torch.cat(list(drawn.batches))
    picture = figures.image_grid(x, drawn.columns) if x.dim() == 4 else figures.points_figure(None, x, None)
    replace_file(out, [figures.encoded(picture, out.suffix)])


def _write_pngs(out: Path, drawn: Samples, config: SampleConfig) -> None:
    out.mkdir(exist_ok=True)
    for i, image in enumerate(image for batch in drawn.batches for image in batch):
        pixels = figures.to_uint8(image[None])[0]
        pixels = pixels[:, :, 0] if len(image) == 1 else pixels
        figures.save_png(out / f"{i:0{len(str(config.count - 1))}d}.png", pixels)


def _write_npz(out: Path, drawn: Samples, config: SampleConfig) -> None:
    """Write `samples`, and where asked `labels`, int64 (N,), or vectors float32 (N, F).

    Samples are images uint8 (N, H, W, C), grey ones with C = 3, or points float32 (N, D).
    """
    labels = drawn.labels.cpu().numpy() if config.labels else None
    write_npz(out, map(_array, drawn.batches), config.count, labels)


def _array(x: Tensor) -> np.ndarray:
    if x.dim() == 2:
        return x.cpu().numpy()
    return figures.to_uint8(x) if x.shape[1] in (1, 3) else to_bytes(x).permute(0, 2, 3, 1).cpu().numpy()


_WRITERS = {"grid": _write_grid, "png": _write_pngs, "npz": _write_npz}
