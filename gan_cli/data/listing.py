"""The list of the images in a directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan_cli.errors import UserError

EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
)


class Picture(NamedTuple):
    """An image file: its name below the directory (with / between parts), bytes, and time of change in nanoseconds.

    It is the time that no program can set, because different pictures may have the same name, size and date.
    """

    name: str
    size: int
    changed_ns: int

    @property
    def identity(self) -> str:
        """What tells it from other pictures and from what it was, for a digest."""
        return f"{self.name}\n{self.size}\n{self.changed_ns}"


@dataclass(frozen=True)
class Listing:
    """The pictures below a directory, ordered by name.

    Attributes:
        pictures: in the order of their names.
        labels: (N,) int64, the sub-folder of each, or None for a flat directory.
        class_names: names of the sub-folders, or None.
    """

    pictures: list[Picture]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None


def list_pictures(root: Path, key: str = "dataset.path") -> Listing:
    """List the pictures directly in a directory, or those in its sub-folders at any depth, one class for each.

    Files of other kinds and names that start with a dot are ignored; links are followed, but no directory is
    entered from inside itself. A single sub-folder is not a class.

    Args:
        root: the directory.
        key: where it stands in the config, for the error.

    Raises:
        UserError: there are no pictures, pictures both beside and in sub-folders, or an unreadable directory.
    """
    try:
        flat, folders = _split(root)
        groups = {folder: sorted(_below(root, folder, frozenset({_identity(root)}))) for folder in folders}
    except OSError as error:
        raise UserError(f"{key}={root}: {error.filename} cannot be read: {error.strerror}") from error
    groups = {folder: found for folder, found in groups.items() if found}
    if flat and groups:
        raise UserError(
            f"{key}={root} has {len(flat)} picture(s), such as {min(flat).name}, beside sub-folders with "
            f"pictures, such as {min(groups)}: use either a flat directory, or one sub-folder for each class"
        )
    if not flat and not groups:
        raise UserError(f"{key}={root} and its sub-folders have no pictures ({' '.join(EXTENSIONS)})")
    if flat or len(groups) == 1:
        return Listing(sorted(flat) or next(iter(groups.values())), None, None)
    names = sorted(groups)
    labels = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
    return Listing([picture for name in names for picture in groups[name]], labels, tuple(names))


def _split(root: Path) -> tuple[list[Picture], list[str]]:
    flat, folders = [], []
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif (picture := _picture(entry, entry.name)) is not None:
                flat.append(picture)
    return flat, folders


def _below(root: Path, folder: str, inside: frozenset[tuple[int, int]]) -> Iterator[Picture]:
    identity = _identity(root / folder)
    if identity in inside:
        return
    flat, folders = _split(root / folder)
    for picture in flat:
        yield picture._replace(name=f"{folder}/{picture.name}")
    for below in folders:
        yield from _below(root, f"{folder}/{below}", inside | {identity})


def _picture(entry: os.DirEntry[str], name: str) -> Picture | None:
    if not name.casefold().endswith(EXTENSIONS) or not entry.is_file():
        return None
    about = entry.stat()
    return Picture(name, about.st_size, about.st_ctime_ns)


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino
