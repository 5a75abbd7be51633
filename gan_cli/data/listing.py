"""The list of the images in a directory, or in a .zip file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from gan_cli.core.text import show
from gan_cli.data.archive import Archive
from gan_cli.data.places import given
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


_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation"}


class Picture(NamedTuple):
    """An image file: its name below the directory (with / between parts), bytes, and time of change in nanoseconds.

    It is the time that no program can set, because different pictures may have the same name, size and date. A picture
    of an archive has its checksum there.
    """

    name: str
    size: int
    version: int

    @property
    def identity(self) -> str:
        """What tells it from other pictures and from what it was, for a digest."""
        return f"{self.name}\n{self.size}\n{self.version}"


@dataclass(frozen=True)
class Listing:
    """The pictures below a directory or in an archive, ordered by name.

    Attributes:
        root: the directory, or the archive.
        open: opens one.
        pictures: in the order of their names.
        labels: (N,) int64, the sub-folder of each, or None for a flat directory.
        class_names: names of the sub-folders, or None.
        note: on sub-folders that hardly are what their place makes of them, or ''.
    """

    root: Path
    open: Callable[[Picture], BinaryIO]
    pictures: list[Picture]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    note: str = ""

    def read(self, position: int) -> BinaryIO:
        """Open the picture at a position."""
        return self.open(self.pictures[position])

    def shown(self, picture: Picture) -> str:
        """Return where a picture is."""
        return os.path.join(self.root, picture.name)


def pictures_at(path: str, expected: str, key: str = "dataset.path") -> Listing:
    """List the pictures of a directory, or of a .zip file as if it had been unpacked into one.

    Args:
        path: as typed by the user, relative to the working directory.
        expected: the expected files, for the error.
        key: where it stands in the config, for the error.

    Raises:
        UserError: there is no such directory or archive; or as `list_pictures`.
    """
    file = Path(os.path.expanduser(path))
    if file.is_file() and zipfile.is_zipfile(file):
        return _in_archive(file, key)
    return list_pictures(given(path, f"{expected}; or a .zip file of them", key), key)


def _in_archive(file: Path, key: str) -> Listing:
    """List an archive's pictures; folders that all of them are in are left out of account."""
    archive = Archive(file)
    found = [Picture(*member) for member in archive.members() if _is_picture(member[0])]
    parts = [_folders(picture.name)[:-1] for picture in found]
    ends = zip(min(parts), max(parts), strict=False) if parts else ()
    above = len(list(takewhile(lambda folders: folders[0] == folders[1], ends)))
    flat: list[Picture] = []
    groups: dict[str, list[Picture]] = {}
    for picture, folders in zip(found, parts, strict=True):
        (groups.setdefault(folders[above], []) if len(folders) > above else flat).append(picture)
    return _listing(file, lambda picture: archive.open(picture.name), flat, groups, key)


def _is_picture(name: str) -> bool:
    return name.casefold().endswith(EXTENSIONS) and not any(map(_is_hidden, _folders(name)))


def _folders(name: str) -> list[str]:
    """Return the folders of an archive's member and its own name, without those that lead elsewhere."""
    return [part for part in name.split("/") if part not in ("", ".", "..")]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


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
    return _listing(root, lambda picture: open(os.path.join(root, picture.name), "rb"), flat, groups, key)


def _listing(
    root: Path,
    opener: Callable[[Picture], BinaryIO],
    flat: Sequence[Picture],
    groups: Mapping[str, Sequence[Picture]],
    key: str,
) -> Listing:
    if flat and groups:
        raise UserError(
            f"{key}={root} has {len(flat)} picture(s), such as {show(min(flat).name)}, beside sub-folders with "
            f"pictures, such as {show(min(groups))}: use either a flat directory, or one sub-folder for each class"
        )
    if not flat and not groups:
        raise UserError(f"{key}={root} and its sub-folders have no pictures ({' '.join(EXTENSIONS)})")
    note = _note(root, groups, key)
    if flat or len(groups) == 1:
        return Listing(root, opener, sorted(flat or next(iter(groups.values()))), None, None, note)
    names = sorted(groups)
    labels = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
    return Listing(root, opener, [p for name in names for p in sorted(groups[name])], labels, tuple(names), note)


def _note(root: Path, groups: Mapping[str, Sequence[Picture]], key: str) -> str:
    """Return what a user should know who means other sub-folders than those that are taken for classes."""
    names = sorted(groups)
    if len(names) == 1:
        inner = _inside(groups[names[0]])
        what = f"its only sub-folder {names[0]} is not a class, so there are no labels"
        return f"{key}={root}: {what}; {key}={root / names[0]} has the classes {_listed(inner)}" if inner else ""
    if not names or not all(name.casefold() in _SPLITS for name in names):
        return ""
    first = next((name for name in names if name.casefold().startswith("train")), names[0])
    inner = _inside(groups[first])
    fix = f"{key}={root / first} " + (f"has the classes {_listed(inner)}" if inner else f"reads {first} alone")
    what = f"its sub-folders {_listed(names)} are taken for classes, and their names are those of parts of a data set"
    return f"{key}={root}: {what}; {'unpack it to choose one' if root.is_file() else fix}"


def _inside(pictures: Sequence[Picture]) -> list[str]:
    """Return the sub-folders of a sub-folder; [] where it has none, a single one, or pictures of its own."""
    parts = [picture.name.split("/") for picture in pictures]
    inner = sorted({part[1] for part in parts}) if all(len(part) > 2 for part in parts) else []
    return inner if len(inner) > 1 else []


def _listed(names: Sequence[str]) -> str:
    return show(", ".join(names))


def _split(root: Path) -> tuple[list[Picture], list[str]]:
    flat, folders = [], []
    with os.scandir(root) as entries:
        for entry in entries:
            if _is_hidden(entry.name):
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
