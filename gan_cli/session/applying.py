"""Applies a run whose generator reads pictures to a user's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.analysis.applying import bytes_per_pixel, mirrored, multiple_of, rounded_up, tiled, tiles, whole
from gan_cli.config.command_schemas import SampleConfig
from gan_cli.core import hardware
from gan_cli.data.listing import EXTENSIONS, all_below
from gan_cli.data.loader import to_float
from gan_cli.data.pictures import read_whole
from gan_cli.data.source import Batch
from gan_cli.data.unused import Unused, summary
from gan_cli.degradations.masking import with_hole
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.session.load import Loaded, generator_of

_SHARE = 0.5  # of the free memory, for one forward pass


class Applied(NamedTuple):
    """What became of a picture.

    Attributes:
        made: (1, C, H, W) in [-1, 1].
        panels: where a whole picture was degraded first: the source, the result and the whole picture; else empty.
        notes: what there is to tell of it, a line each.
    """

    made: Tensor
    panels: list[Tensor]
    notes: list[str]


class Applier:
    """A run's generator as a function of picture files.

    Args:
        run: its generator reads pictures.
        config: `direction`, `degrade`, `tile`, `weights` and `seed` are used.

    Raises:
        UserError: the run has no such direction, or degrades nothing.
    """

    def __init__(self, run: Loaded, config: SampleConfig) -> None:
        self.game, self.shape, self.config = run.state.game, run.shape, config
        self.device = next(self.game.parameters()).device
        task = self.game.task
        if config.direction is not None and not task.twofold:
            raise UserError(f"direction={config.direction}: this run translates in one direction; leave direction out")
        if config.degrade and task.degradation is None:
            raise UserError("degrade=true: this run has no degradation of pictures; leave degrade out")
        network = generator_of(run.state, config.weights)
        self.network = getattr(network, (config.direction or "a_to_b")[-1]) if task.twofold else network
        self.multiple = multiple_of(self.network)
        self.sides, self.scale = run.source_shape[1:], run.shape[1] // run.source_shape[1]
        self.holes = task.degradation is not None and task.degradation.leaves_holes
        self.channels = run.shape[0] if config.degrade or self.holes else run.source_shape[0]
        if {self.channels, run.shape[0]} - {1, 3}:
            raise UserError(
                f"source={config.source}: this run's images have {run.shape[0]} channels, and pictures have 1 or 3; "
                "leave source out"
            )
        if config.tile != "auto" and config.tile < 2 * self.multiple:
            raise UserError(
                f"tile={config.tile}: this run's generator needs tiles of at least {2 * self.multiple} pixels: "
                f"tile={8 * self.multiple}"
            )

    def __call__(self, path: Path, number: int, z: Tensor, y: Tensor | None) -> Applied:
        """Return what the generator makes of a picture, in the picture's size (enlarged, where it enlarges).

        Args:
            path: of the picture.
            number: of the picture, for its random numbers.
            z: (1, size).
            y: label (1,), or None.

        Raises:
            BadPicture: it cannot be read.
            UserError: it has no hole, or the generator cannot take its size.
            OSError: it cannot be read.
        """
        with open(path, "rb") as file:
            picture = read_whole(file, self.channels)
        colours = {1: "its colours are left out", 3: "it is grey, and is read as three equal channels"}
        notes = [colours[self.channels]] if picture.other_colours else []
        x, opaque = (torch.from_numpy(t)[None].to(self.device) for t in (picture.pixels.copy(), picture.opaque))
        x = to_float(x)
        if not self.config.degrade:
            source = with_hole(x, ~opaque) if self.holes else x
            if self.holes and bool(opaque.all()):
                raise UserError("no pixel is transparent, so it has no hole to fill; degrade=true makes one")
            return Applied(self._made(source, z, y, notes), [], notes)
        padded = mirrored(x, rounded_up(x.shape[2:], self.scale, self.shape[1:]))
        draws = Draws(self.device, self.config.seed, "degrade", number)
        source = self.game.task.with_source(Batch(padded, y), draws).source
        height, width = x.shape[2:]
        made = self._made(source, z, y, notes)[:, :, :height, :width]
        return Applied(made, [source, made, x], notes)

    def _made(self, source: Tensor, z: Tensor, y: Tensor | None, notes: list[str]) -> Tensor:
        """Return the result for a source of any size, and note where it was computed in tiles."""
        height, width = source.shape[2:]
        padded = mirrored(source, rounded_up((height, width), self.multiple, self.sides))
        side = self._tile(padded, z, y)
        try:
            if side is None:
                made = whole(self.game, self.network, z, y, padded)
            else:
                notes.append(f"computed in {tiles(padded.shape[2:], side, self.multiple)} tiles of {side} x {side}")
                made = tiled(self.game, self.network, z, y, padded, side)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"the generator cannot read {height} x {width} pixels ({reason}); tile={self.sides[0]}"
            ) from error
        return made[:, :, : height * self.scale, : width * self.scale]

    def _tile(self, source: Tensor, z: Tensor, y: Tensor | None) -> int | None:
        """Return the side of the tiles; None: the whole picture at once."""
        tile = self.config.tile
        if tile == "auto":
            small = mirrored(source[:, :, : self.sides[0], : self.sides[1]], self.sides)
            pixels = _SHARE * _free(self.device) / bytes_per_pixel(self.game, self.network, z, y, small)
            if math.prod(source.shape[2:]) <= pixels:
                return None
            tile = max(2 * self.multiple, math.isqrt(int(pixels)) // self.multiple * self.multiple)
        side = rounded_up((tile, tile), self.multiple)[0]
        return None if side >= max(source.shape[2:]) else side


def pictures_at(source: str) -> tuple[dict[str, Path], list[Unused]]:
    """Return the pictures that a path names or contains, at any depth, by their names below it, and what is unused.

    Raises:
        UserError: there is no such path, or no picture.
    """
    root = Path(source)
    if root.is_file():
        return {root.name: root}, []
    if not root.is_dir():
        raise UserError(f"source={source}: no such file or directory")
    found, unused = all_below(root)
    if not found:
        beside = f"; not used: {summary(unused)}" if unused else ""
        raise UserError(f"source={source}: there are no pictures ({' '.join(EXTENSIONS)}){beside}")
    return {picture.name: root / picture.name for picture in sorted(found, key=lambda one: Path(one.name))}, unused


def _free(device: torch.device) -> int:
    """Return the free memory of a device in bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    memory = hardware.memory()
    return min(memory.free, memory.limit)
