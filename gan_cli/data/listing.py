"""The list of the images in a directory, or in a .zip file."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np

from gan_cli.core.text import is_text, show, visible
from gan_cli.data.archive import Archive
from gan_cli.data.collection import Pictures
from gan_cli.data.places import given
from gan_cli.data.unused import EMPTY, HIDDEN, NO_FILE, NOWHERE, OTHER_ENDING, OTHER_ENDINGS, Unused, summary
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

ClassOrder = Literal["natural", "text"]  # 1, 3, 10; or 1, 10, 3
_LONGEST = 64  # digits of a number in a name
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation"}
_PICTURE = "picture"  # beside the kinds of what is unused


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
        unused: what looks like a picture and is none of these.
        note: on sub-folders that are probably not meant as classes; or ''.
    """

    root: Path
    open: Callable[[Picture], BinaryIO]
    pictures: list[Picture]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    unused: Sequence[Unused] = ()
    note: str = ""

    def read(self, position: int) -> BinaryIO:
        """Open the picture at a position."""
        return self.open(self.pictures[position])

    def files(self) -> Pictures:
        """Return what tells each picture from what it was."""
        return Pictures(os.path.abspath(self.root), lambda position: self.pictures[position].identity)

    def shown(self, picture: Picture) -> str:
        """Return where a picture is."""
        return os.path.join(self.root, picture.name)


def pictures_at(path: str, expected: str, key: str = "dataset.path", class_order: ClassOrder = "natural") -> Listing:
    """List the pictures of a directory, or of a .zip file as if it had been unpacked into one.

    Args:
        path: as typed by the user, relative to the working directory.
        expected: the expected files, for the error.
        key: where it stands in the config, for the error.
        class_order: as of `list_pictures`.

    Raises:
        UserError: there is no such directory or archive; or as `list_pictures`.
    """
    file = Path(os.path.expanduser(path))
    if file.is_file() and zipfile.is_zipfile(file):
        return _in_archive(file, key, class_order)
    return list_pictures(given(path, f"{expected}; or a .zip file of them", key), key, class_order)


def _in_archive(file: Path, key: str, class_order: ClassOrder) -> Listing:
    """List an archive's pictures; folders that all of them are in are left out of account."""
    archive = Archive(file)
    members = [Picture(*member) for member in archive.members()]
    kinds = [_kind(_folders(member.name)) for member in members]
    found = [member for member, kind in zip(members, kinds, strict=True) if kind == _PICTURE]
    unused = [
        Unused(kind, os.path.join(file, member.name))
        for member, kind in zip(members, kinds, strict=True)
        if kind not in (None, _PICTURE)
    ]
    parts = [_folders(picture.name)[:-1] for picture in found]
    ends = zip(min(parts), max(parts), strict=False) if parts else ()
    above = len(list(takewhile(lambda folders: folders[0] == folders[1], ends)))
    flat: list[Picture] = []
    groups: dict[str, list[Picture]] = {}
    for picture, folders in zip(found, parts, strict=True):
        (groups.setdefault(folders[above], []) if len(folders) > above else flat).append(picture)
    return _listing(file, lambda picture: archive.open(picture.name), flat, groups, unused, key, class_order)


def _kind(parts: Sequence[str]) -> str | None:
    """Return what a file is by its folders and its name: a picture, the kind of an unused one, or None for others."""
    name = parts[-1].casefold() if parts else ""
    if name.endswith(EXTENSIONS):
        return HIDDEN if any(map(_is_hidden, parts)) else _PICTURE
    return OTHER_ENDING if name.endswith(OTHER_ENDINGS) and not any(map(_is_hidden, parts)) else None


def _folders(name: str) -> list[str]:
    """Return the folders of an archive's member and its own name, without those that lead elsewhere."""
    return [part for part in name.split("/") if part not in ("", ".", "..")]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def list_pictures(root: Path, key: str = "dataset.path", class_order: ClassOrder = "natural") -> Listing:
    """List the pictures directly in a directory, or those in its sub-folders at any depth, one class for each.

    Links are followed, but no directory is entered from inside itself. Names that start with a dot, broken links
    and pictures of other formats are `unused`. A single sub-folder is not a class.

    Args:
        root: the directory.
        key: where it stands in the config, for the error.
        class_order: of the sub-folders: `natural`, numbers in their names by value; or `text`, character by character.

    Raises:
        UserError: there are no pictures, pictures both beside and in sub-folders, an unreadable directory, or a class
            whose name is not UTF-8.
    """
    unused: list[Unused] = []
    try:
        flat, folders = _split(root, "", unused)
        inside = frozenset({_identity(root)})
        groups = {folder: sorted(_below(root, folder, inside, unused)) for folder in folders}
    except OSError as error:
        raise UserError(f"{key}={root}: {error.filename} cannot be read: {error.strerror}") from error
    if not flat:
        unused += [Unused(EMPTY, os.path.join(root, folder)) for folder, found in groups.items() if not found]
    groups = {folder: found for folder, found in groups.items() if found}
    return _listing(root, lambda p: open(os.path.join(root, p.name), "rb"), flat, groups, unused, key, class_order)


def _listing(
    root: Path,
    opener: Callable[[Picture], BinaryIO],
    flat: Sequence[Picture],
    groups: Mapping[str, Sequence[Picture]],
    unused: Sequence[Unused],
    key: str,
    class_order: ClassOrder,
) -> Listing:
    if flat and groups:
        raise UserError(
            f"{key}={root} has {len(flat)} picture(s), such as {show(min(flat).name)}, beside sub-folders with "
            f"pictures, such as {show(min(groups))}: use either a flat directory, or one sub-folder for each class"
        )
    if not flat and not groups:
        beside = f"; not used: {summary(unused)}" if unused else ""
        raise UserError(f"{key}={root} and its sub-folders have no pictures ({' '.join(EXTENSIONS)}){beside}")
    note = _note(root, groups, key)
    if flat or len(groups) == 1:
        return Listing(root, opener, sorted(flat or next(iter(groups.values()))), None, None, unused, note)
    names = sorted(groups, key=natural if class_order == "natural" else None)
    if foreign := next((name for name in names if not is_text(name)), None):
        raise UserError(f"{key}={root}: the folder {visible(foreign)} is a class, and its name is not UTF-8: rename it")
    labels = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
    return Listing(
        root, opener, [p for name in names for p in sorted(groups[name])], labels, tuple(names), unused, note
    )


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


def all_below(root: Path) -> tuple[list[Picture], list[Unused]]:
    """Return the pictures in a directory and below it, ordered by name, and what looks like one and is none.

    Raises:
        OSError: a directory cannot be read.
    """
    unused: list[Unused] = []
    return sorted(_below(root, "", frozenset(), unused)), unused


def natural(name: str) -> tuple[str, str]:
    """Return the key by which names are in natural order: numbers in them by their value, so 2 is before 10."""
    return re.sub("[0-9]+", lambda found: found[0].zfill(_LONGEST), name), name


def _split(root: Path, folder: str, unused: list[Unused]) -> tuple[list[Picture], list[str]]:
    """Return the pictures in a folder below the root, and its folders; add what is unused there."""
    flat, folders = [], []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_hidden(entry.name):
                unused += (Unused(HIDDEN, path) for path in _hidden_pictures(entry))
            elif entry.is_dir():
                folders.append(name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                unused.append(Unused(NOWHERE, entry.path, f"-> {os.readlink(entry.path)}"))
            elif (kind := _kind([entry.name])) == _PICTURE and not entry.is_file():
                unused.append(Unused(NO_FILE, entry.path))
            elif kind == _PICTURE:
                about = entry.stat()
                flat.append(Picture(name, about.st_size, about.st_ctime_ns))
            elif kind is not None:
                unused.append(Unused(kind, entry.path))
    return flat, folders


def _below(root: Path, folder: str, inside: frozenset[tuple[int, int]], unused: list[Unused]) -> Iterator[Picture]:
    identity = _identity(root / folder)
    if identity in inside:
        return
    flat, folders = _split(root, folder, unused)
    yield from flat
    for below in folders:
        yield from _below(root, below, inside | {identity}, unused)


def _hidden_pictures(entry: os.DirEntry[str]) -> Iterator[str]:
    """Yield the pictures that a hidden name stands for: the file, or those below the directory."""
    if not entry.is_dir(follow_symlinks=False):
        yield from [entry.path] if _kind([entry.name]) else []
        return
    for directory, _, names in os.walk(entry.path):
        yield from (os.path.join(directory, name) for name in names if name.casefold().endswith(EXTENSIONS))


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino
