"""Pictures of any origin to compare: a directory as for dataset=folder, an array file, or an array of Python's."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gan_cli.core.shapes import Sides
from gan_cli.data.array_set import Arrays, as_arrays
from gan_cli.data.collection import resize
from gan_cli.data.file_collection import some_headers
from gan_cli.data.folder import Folder
from gan_cli.data.loader import as_float, as_tensor, to_bytes
from gan_cli.errors import UserError
from gan_cli.rng import generator

SAMPLES, LABELS = "samples", "labels"  # the arrays of `gan sample format=npz`
_SMALLEST = (8, 8)


class PictureSet(NamedTuple):
    """Pictures that are read as they are asked for.

    Attributes:
        name: where they are, for the protocol.
        size: number of pictures.
        sides: height and width of the pictures, or the shorter side of the first one twice, if they differ in shape.
        labels: (N,) int64, or None.
        class_names: of the labels, or None.
        read: (positions (n,) ascending, sides) -> (n, C, height, width) uint8, their central parts of this shape.
    """

    name: str
    size: int
    sides: Sides
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    read: Callable[[np.ndarray, Sides], np.ndarray]

    def first(self, n: int, sides: Sides) -> tuple[np.ndarray, np.ndarray | None]:
        """Return n pictures (n, C, height, width) uint8 in an order that is always the same, and their labels."""
        order = torch.randperm(self.size, generator=generator("cpu", 0, "pictures"))[:n].numpy()
        ranks = np.argsort(np.argsort(order))
        return self.read(np.sort(order), sides)[ranks], None if self.labels is None else self.labels[order]


def picture_set(source: Any, key: str) -> PictureSet:
    """Return the pictures of a directory or .zip file, a .npz or .npy file, or an array of Python's.

    Args:
        source: a path; or what `dataset=` of gan_cli.train takes.
        key: where it stands, for errors.

    Raises:
        UserError: there are no pictures.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _of_arrays(as_arrays(source), "given in Python", key)
    path = Path(os.path.expanduser(source))
    if not path.exists():
        raise UserError(f"{key}={source} does not exist: it must be a directory of pictures, or FILE.npz")
    if path.suffix in (".npz", ".npy"):
        return _of_arrays(_read_arrays(path, key), str(path), key)
    return _of_folder(path, key)


def _of_folder(path: Path, key: str) -> PictureSet:
    def collected(sides: Sides) -> Any:
        try:
            return Folder(sides, str(path)).collect()
        except UserError as error:
            raise UserError(str(error).replace("dataset.path=", f"{key}=")) from error

    found = collected(_SMALLEST)
    seen = [header.sides for header in some_headers(len(found), found.opened)] or [_SMALLEST]
    sides = seen[0] if len({height / width for height, width in seen}) == 1 else (min(seen[0]),) * 2

    def read(positions: np.ndarray, sides: Sides) -> np.ndarray:
        return np.concatenate([chunk.images for chunk in collected(sides).chunks(positions)])

    return PictureSet(str(path), len(found), sides, found.labels, found.class_names, read)


def _of_arrays(found: Arrays, name: str, key: str) -> PictureSet:
    x = found.x
    if x.ndim != 4:
        raise UserError(f"{key}: {name} holds points (N, {x.shape[1]}), not pictures")

    def read(positions: np.ndarray, sides: Sides) -> np.ndarray:
        return resize(to_bytes(as_float(as_tensor(x[positions]))).numpy(), sides)

    return PictureSet(name, len(x), x.shape[2:], found.labels, found.class_names, read)


def _read_arrays(path: Path, key: str) -> Arrays:
    """Return the arrays of a file: one array, or `samples` and perhaps `labels`."""
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return as_arrays(content)
            names = content.files
            x = SAMPLES if SAMPLES in names else next((name for name in names if content[name].ndim == 4), None)
            if x is None:
                raise UserError(f"{key}={path}: holds {', '.join(names) or 'nothing'}; pictures are `{SAMPLES}`")
            return as_arrays((content[x], content[LABELS]) if LABELS in names else content[x])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{key}={path} cannot be read: {error}") from error
