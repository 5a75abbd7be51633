"""Writes what a run makes of a user's pictures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis import figures
from gan_cli.commands._results import write
from gan_cli.config.command_schemas import SampleConfig
from gan_cli.core.text import say
from gan_cli.data.pictures import BadPicture
from gan_cli.errors import UserError
from gan_cli.session.applying import Applier
from gan_cli.session.load import Loaded

SHEETS = "sheets"


def apply(
    run: Loaded, config: SampleConfig, pictures: Mapping[str, Path], z: Tensor, y: Tensor | None, out: Path
) -> Path:
    """Write a picture of the same name for each, and a sheet where whole pictures were degraded; return the directory.

    A picture that cannot be used does not keep the others from it; what else there is to tell goes to stderr.

    Args:
        run: its generator reads pictures.
        config: of the command.
        pictures: files by their names.
        z: a row for each.
        y: a label for each, or None.
        out: the directory.

    Raises:
        UserError: a picture cannot be used, or a result cannot be written.
    """
    applier, failed = Applier(run, config), []
    noted: dict[str, list[str]] = {}
    for i, (name, path) in enumerate(tqdm(pictures.items(), unit="picture", disable=None, leave=False)):
        target = out / _file_name(name)
        if target.resolve() == path.resolve():
            raise UserError(f"out={out}: this would overwrite {path} itself; choose another directory")
        try:
            found = applier(path, i, z[i : i + 1], None if y is None else y[i : i + 1])
        except (BadPicture, UserError, OSError) as error:
            failed.append(f"{path}: {getattr(error, 'strerror', None) or error}")
            continue
        for note in found.notes:
            noted.setdefault(note, []).append(str(path))
        write(target.parent, {target.name: _encoded(found.made, target.suffix)})
        if found.panels:
            sheet = out / SHEETS / f"{name}.png"
            grid = figures.side_by_side(found.panels, found.made.shape[1:])
            write(sheet.parent, {sheet.name: figures.png(figures.image_grid(grid, len(found.panels)))})
    for note, paths in noted.items():
        say(f"gan: {paths[0]}{_others(paths)}: {note}", sys.stderr)
    if failed:
        raise UserError(f"{failed[0]}{_others(failed)}")
    return out


def _others(found: list[str]) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def _file_name(name: str) -> str:
    """Return the name of a result: the picture's, in a format that keeps what the generator made."""
    return name if Path(name).suffix.lower() in figures.SUFFIXES else f"{name}.png"


def _encoded(image: Tensor, suffix: str) -> bytes:
    """Return an image (1, C, H, W) as a file; grey where C is 1."""
    pixels = figures.to_uint8(image)[0]
    return figures.encoded(pixels[:, :, 0] if image.shape[1] == 1 else pixels, suffix)
