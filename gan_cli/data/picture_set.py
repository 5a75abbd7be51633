"""Pictures of any origin to compare: a directory as for dataset=folder, an array file, or an array of Python's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gan_cli.core.shapes import Sides
from gan_cli.core.text import say
from gan_cli.data.array_file import HDF5, ArrayFile
from gan_cli.data.array_set import Arrays, as_arrays
from gan_cli.data.collection import resize
from gan_cli.data.folder import Folder
from gan_cli.data.listing import pictures_at
from gan_cli.data.loader import to_bytes
from gan_cli.data.pictures import read_upright
from gan_cli.data.rows import Rows
from gan_cli.data.unused import summary
from gan_cli.errors import UserError
from gan_cli.rng import generator

_ARRAY_FILES = {".npz": ArrayFile, ".npy": ArrayFile, ".h5": HDF5, ".hdf5": HDF5}
_LEAST = 8  # pixels, with which a directory can be looked at
_WHITE = (255, 255, 255)


class PictureSet(NamedTuple):
    """Pictures that are read as they are asked for.

    Attributes:
        name: where they are, for the protocol.
        size: number of pictures.
        sides: height and width of the first one.
        labels: (N,) int64, or None.
        class_names: of the labels, or None.
        read: (positions (n,) ascending, sides) -> (n, C, H, W) uint8, cropped and resized.
    """

    name: str
    size: int
    sides: Sides
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    read: Callable[[np.ndarray, Sides], np.ndarray]

    def first(self, n: int, sides: Sides) -> tuple[np.ndarray, np.ndarray | None]:
        """Return n pictures (n, C, H, W) uint8 in an order that is always the same, and their labels."""
        order = torch.randperm(self.size, generator=generator("cpu", 0, "pictures"))[:n].numpy()
        ranks = np.argsort(np.argsort(order))
        return self.read(np.sort(order), sides)[ranks], None if self.labels is None else self.labels[order]


def picture_set(source: Any, key: str) -> PictureSet:
    """Return the pictures of a directory, a .zip, .npz, .npy or .h5 file, or an array of Python's.

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
    try:
        if kind := _ARRAY_FILES.get(path.suffix):
            return _of_arrays(kind(str(path)).arrays(), str(path), key)
        return _of_folder(path)
    except UserError as error:  # a dataset's, which names the key that it usually has
        raise UserError(str(error).replace("dataset.path=", f"{key}=")) from error


def _of_folder(path: Path) -> PictureSet:
    found = Folder(_LEAST, str(path)).collect()
    if found.unused:
        say(f"{path}: not used: {summary(found.unused)}", sys.stderr)
    with pictures_at(str(path), "pictures").read(0) as file:
        width, height = read_upright(file, _WHITE).size

    def read(positions: np.ndarray, sides: Sides) -> np.ndarray:
        return np.concatenate([chunk.images for chunk in Folder(sides, str(path)).collect().chunks(positions)])

    return PictureSet(str(path), len(found), (height, width), found.labels, found.class_names, read)


def _of_arrays(found: Arrays, name: str, key: str) -> PictureSet:
    x = found.x
    if len(x.shape) != 4:
        raise UserError(f"{key}: {name} holds points (N, {x.shape[1]}), not pictures")
    if isinstance(x, Rows):
        x.check()

    def read(positions: np.ndarray, sides: Sides) -> np.ndarray:
        return resize(_bytes(x[positions]), sides)

    return PictureSet(name, len(x), x.shape[2:], found.labels, found.class_names, read)


def _bytes(x: np.ndarray) -> np.ndarray:
    """Return images as uint8: of uint16, or of floating-point values in [-1, 1]."""
    if x.dtype == np.uint16:
        return np.round(x / 257).astype(np.uint8)
    return x if x.dtype == np.uint8 else to_bytes(torch.from_numpy(x)).numpy()
