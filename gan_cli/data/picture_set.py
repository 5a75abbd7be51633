"""Pictures of any origin to compare: a directory as for dataset=folder, an array file, or an array of Python's."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gan_cli.data.array_set import Arrays, as_arrays
from gan_cli.data.collection import resize
from gan_cli.data.folder import Folder
from gan_cli.data.listing import pictures_at
from gan_cli.data.loader import to_bytes
from gan_cli.data.pictures import read_upright
from gan_cli.errors import UserError
from gan_cli.rng import generator

SAMPLES, LABELS = "samples", "labels"  # the arrays of `gan sample format=npz`
_SIDES = (8, 1024)
_WHITE = (255, 255, 255)


class PictureSet(NamedTuple):
    """Pictures that are read as they are asked for.

    Attributes:
        name: where they are, for the protocol.
        size: number of pictures.
        side: the shorter side of the first one.
        labels: (N,) int64, or None.
        class_names: of the labels, or None.
        read: (positions (n,) ascending, side) -> (n, C, side, side) uint8, their central squares.
    """

    name: str
    size: int
    side: int
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    read: Callable[[np.ndarray, int], np.ndarray]

    def first(self, n: int, side: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return n pictures (n, C, side, side) uint8 in an order that is always the same, and their labels."""
        order = torch.randperm(self.size, generator=generator("cpu", 0, "pictures"))[:n].numpy()
        ranks = np.argsort(np.argsort(order))
        return self.read(np.sort(order), side)[ranks], None if self.labels is None else self.labels[order]


def picture_set(source: Any, key: str) -> PictureSet:
    """Return the pictures of a directory, a .npz or .npy file, or an array of Python's.

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
    def collected(side: int) -> Any:
        try:
            return Folder(side, str(path)).collect()
        except UserError as error:
            raise UserError(str(error).replace("dataset.path=", f"{key}=")) from error

    found = collected(_SIDES[0])
    with pictures_at(str(path), "pictures", key).read(0) as file:
        side = min(read_upright(file, _WHITE).size)

    def read(positions: np.ndarray, side: int) -> np.ndarray:
        return np.concatenate([chunk.images for chunk in collected(side).chunks(positions)])

    return PictureSet(str(path), len(found), side, found.labels, found.class_names, read)


def _of_arrays(found: Arrays, name: str, key: str) -> PictureSet:
    x = found.x
    if x.ndim != 4:
        raise UserError(f"{key}: {name} holds points (N, {x.shape[1]}), not pictures")

    def read(positions: np.ndarray, side: int) -> np.ndarray:
        rows = x[positions]
        return resize(rows if rows.dtype == np.uint8 else to_bytes(torch.from_numpy(rows)).numpy(), (side, side))

    return PictureSet(name, len(x), min(x.shape[2:]), found.labels, found.class_names, read)


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
