"""Draw from a trained generator."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.analysis.reals import available, take
from gan_cli.commands._applying import apply
from gan_cli.config.arguments import key_of
from gan_cli.config.command_line import CommandLine
from gan_cli.config.schema import SampleConfig
from gan_cli.core.files import replace_file
from gan_cli.core.text import did_you_mean, show
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.runs import directory
from gan_cli.session.applying import pictures_at
from gan_cli.session.load import Loaded, generator_of, load
from gan_cli.session.look import open_data
from gan_cli.session.pictures import columns, panels_of
from gan_cli.training.game import Game
from gan_cli.training.sampling import generate


def sample(config: SampleConfig, line: CommandLine) -> None:
    """Write a grid, single PNGs or one NPZ of samples, or what a run makes of pictures, and print the path.

    Raises:
        UserError: there is no run, no intact checkpoint, or the run cannot generate such samples.
    """
    path, count = Path(config.run), config.count
    run = load(path, config.device, config.checkpoint, config.allow_targets)
    if len(run.shape) == 1 and config.format == "png":
        raise UserError("format=png: the samples are points, not images; use format=npz")
    game, network = run.state.game, generator_of(run.state, config.weights)
    _refuse(game, config, line)
    chosen = _classes(run, path, config)
    if config.source is not None:
        n = len(files := pictures_at(config.source))
        out = Path(config.out) if config.out else path / directory.SAMPLES / _name(run, network, chosen, config)
        print(apply(run, config, files, _z(run, n, config), _labels(run, chosen, n), out))
        return
    z = _z(run, count, config)
    across = (len(chosen) if len(chosen) > 1 else None) if chosen else columns(game.condition, count)
    if game.task.reads == "image":
        real = _heldout(run, path, config)
        panels = panels_of(game, network, z, real, config.batch_size)
        across = len(panels) * max(1, round(math.sqrt(count / len(panels))))
        batches = iter([figures.side_by_side(panels, run.shape) if config.format == "grid" else panels[1]])
    else:
        batches = generate(game, network, z, _labels(run, chosen, count), config.batch_size)
    out = Path(config.out) if config.out else path / directory.SAMPLES / _name(run, network, chosen, config)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if config.format == "grid":
            _write_grid(out, batches, across)
        else:
            _WRITERS[config.format](out, batches, count)
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error
    print(out)


def _refuse(game: Game, config: SampleConfig, line: CommandLine) -> None:
    """Refuse keys that would have no effect, and pictures for a generator that reads none.

    Raises:
        UserError: the first of them.
    """
    typed = {key_of(word) for word in line.overrides}
    if config.source is None:
        for key in ("direction", "degrade", "tile"):
            if key in typed:
                raise UserError(f"{key}={show(getattr(config, key))}: it is about your own pictures; add source=DIR")
        if game.task.reads == "image" and game.condition.needs_labels and config.y is not None:
            raise UserError(f"y={show(config.y)}: held-out pictures have their own classes; add source=DIR for others")
        return
    if game.task.reads != "image":
        raise UserError(f"source={config.source}: this run's generator reads no pictures; leave source out")
    for key in ("count", "format"):
        if key in typed:
            raise UserError(f"{key}={show(getattr(config, key))}: source= writes a picture for each; leave {key} out")
    if game.condition.needs_labels and config.y is None:
        raise UserError("this run's generator reads the class of a picture too: y=CLASS")


def _labels(run: Loaded, chosen: list[int], count: int) -> Tensor | None:
    """Return labels (count,): the requested classes, or all, in turn; None for a run without classes."""
    condition, device = run.state.game.condition, next(run.state.game.parameters()).device
    if not condition.needs_labels:
        return None
    classes = torch.tensor(chosen or range(condition.n_classes), device=device)
    return classes[torch.arange(count, device=device) % len(classes)]


def _heldout(run: Loaded, path: Path, config: SampleConfig) -> Batch:
    """Return held-out samples with their sources.

    Raises:
        UserError: there are fewer, or an odd number of two domains is asked for.
    """
    game, device, count = run.state.game, next(run.state.game.parameters()).device, config.count
    data = open_data(path, config.allow_targets, device)
    most = available(data.heldout)
    if most is not None and count > most:
        raise UserError(f"count={count}: {most} pictures are held out; count={most} or less")
    if game.task.twofold and count % 2:
        raise UserError(f"count={count}: the samples are of two domains, as many of each: count={count + 1}")
    return game.read(take(data.heldout, 0, count), Draws(device, config.seed, "sample"))


def _z(run: Loaded, count: int, config: SampleConfig) -> Tensor:
    """Return z (count, size) by the config: from the run's prior, within bounds, with given codes.

    Raises:
        UserError: the prior has no such codes, or has its own bounds.
    """
    latent = run.state.game.latent
    prior, psi, c = latent, config.truncation, config.c
    if psi is not None:
        try:
            prior = latent.truncated(psi)
        except ValueError as error:
            raise UserError(f"truncation={psi}: {error}; leave truncation out") from error
    z = prior.sample(count, Draws(next(run.state.game.parameters()).device, config.seed, "sample"))
    try:
        return z if c is None else latent.with_codes(z, c if isinstance(c, list) else [c])
    except ValueError as error:
        raise UserError(f"c={show(c)}: {error}") from error


def _classes(run: Loaded, path: Path, config: SampleConfig) -> list[int]:
    """Return the numbers of the requested classes; [] for all classes.

    Raises:
        UserError: the run has no classes, or not these classes.
    """
    condition, asked = run.state.game.condition, config.y
    if asked is None:
        return []
    if not condition.needs_labels:
        raise UserError(f"y={show(asked)}: this run was trained without classes (condition=none); leave y out")
    chosen = asked if isinstance(asked, list) else [asked]
    names: tuple[str, ...] = ()
    if any(isinstance(one, str) for one in chosen):  # only the data have the names
        names = open_data(path, config.allow_targets, next(run.state.game.parameters()).device).class_names or ()
    return [_number(one, names, condition.n_classes, asked) for one in chosen]


def _number(one: int | str, names: tuple[str, ...], n_classes: int, asked: object) -> int:
    if isinstance(one, str):
        if one not in names:
            raise UserError(
                f"y={show(asked)}: no such class as {one}{did_you_mean(one, names) or ';'} classes: {', '.join(names)}"
            )
        return names.index(one)
    if one >= n_classes:
        raise UserError(f"y={show(asked)}: the run's classes are 0 to {n_classes - 1}")
    return one


def _name(run: Loaded, network: torch.nn.Module, chosen: list[int], config: SampleConfig) -> str:
    """Return a file name that is different for different samples."""
    what = f"count_{config.count}" if config.source is None else Path(config.source).resolve().name
    parts = [f"step_{run.state.step:010d}_seed_{config.seed}_{what}"]
    parts += [config.direction] * (config.direction is not None) + ["degraded"] * config.degrade
    if run.state.ema and network is run.state.game.generator:
        parts.append("raw")
    if chosen:
        parts.append("y_" + "+".join(map(str, chosen)))
    if (c := config.c) is not None:
        parts.append("c_" + "+".join("null" if v is None else f"{v:g}" for v in (c if isinstance(c, list) else [c])))
    if config.truncation is not None:
        parts.append(f"truncation_{config.truncation}")
    return "_".join(parts) + ("" if config.source else {"grid": ".png", "png": "", "npz": ".npz"}[config.format])


def _write_grid(out: Path, batches: Iterator[Tensor], columns: int | None) -> None:
    x = torch.cat(list(batches))
    picture = figures.image_grid(x, columns) if x.dim() == 4 else figures.points_figure(None, x, None)
    figures.save_png(out, picture)


def _write_pngs(out: Path, batches: Iterator[Tensor], count: int) -> None:
    out.mkdir(exist_ok=True)
    for i, image in enumerate(image for batch in batches for image in batch):
        figures.save_png(out / f"{i:0{len(str(count - 1))}d}.png", figures.to_uint8(image[None])[0])


def _write_npz(out: Path, batches: Iterator[Tensor], count: int) -> None:
    """Write one array `samples`: images uint8 (N, H, W, 3), or points float32 (N, D)."""
    arrays = [figures.to_uint8(x) if x.dim() == 4 else x.cpu().numpy() for x in batches]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, samples=np.concatenate(arrays))
    replace_file(out, [buffer.getvalue()])


_WRITERS = {"png": _write_pngs, "npz": _write_npz}
