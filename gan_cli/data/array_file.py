"""The datasets of one file of arrays: NumPy's .npy and .npz, and HDF5."""

from __future__ import annotations

import os
import zipfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from gan_cli.data.array_set import Arrays, ArraySet, labels_of
from gan_cli.data.fixed_set import Holdout, Limit
from gan_cli.data.places import require
from gan_cli.data.rows import Layout, Rows
from gan_cli.errors import UserError

_SAMPLES = ("samples", "images", "image", "x", "data", "arr_0")
_LABELS = ("labels", "label", "y", "targets")


class _ArrayFile(ArraySet):
    """Samples, and labels if there are some, in the arrays of one file.

    Args:
        path: the file; required.
        key: name of the array of samples; None: the only one of two dimensions and more, or one with a usual name
            (samples, images, image, x, data, arr_0).
        labels: name of the array of labels; auto: labels, label, y or targets, if the file has one of them; None: none.
        layout: nchw or nhwc; auto: as `Rows` tells them apart.
        range: [low, high], black and white; None: the whole range of uint8 or uint16, [-1, 1] of floating-point images.
        holdout: as `ArraySet`.
        limit: as `ArraySet`.
        classes: as `ArraySet`.
        resident: as `ArraySet`.
        flip: as `ArraySet`.

    Raises:
        ValueError: a range without extent.
    """

    expected: ClassVar[str]

    def __init__(
        self,
        path: str | None = None,
        key: str | None = None,
        labels: str | None = "auto",
        layout: Layout = "auto",
        range: tuple[float, float] | None = None,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
    ) -> None:
        super().__init__(holdout, limit, classes, resident, flip)
        if range is not None and range[0] >= range[1]:
            raise ValueError(f"range={list(range)}: must be [LOW,HIGH], black and white, with LOW below HIGH")
        self.path, self.key, self.labels = path, key, labels
        self.layout, self.range = layout, range
        self._arrays: Arrays | None = None

    @abstractmethod
    def read(self, file: Path) -> Mapping[str, Any]:
        """Return the arrays of the file by name; one has a shape, a dtype and rows.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is damaged.
        """

    def arrays(self) -> Arrays:
        """Open the file; samples are read when they are used.

        Raises:
            UserError: there is no such file or array, or it cannot be read.
        """
        if self._arrays is None:
            if self.path is None:
                raise UserError(f"dataset={self.name} needs a file; use dataset.path={self.expected}")
            file, shown = Path(os.path.expanduser(self.path)), f"dataset.path={self.path}"
            if not file.is_file():
                what = "is a directory" if file.is_dir() else "does not exist"
                raise UserError(f"{shown} {what}: it must be {self.expected}")
            try:
                self._arrays = self._of(self.read(file), shown)
            except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
                raise UserError(f"{shown} cannot be read: {error or type(error).__name__}") from error
        return self._arrays

    def _of(self, found: Mapping[str, Any], shown: str) -> Arrays:
        key = self.key if self.key is not None else self._samples_of(found, shown)
        x = _named(found, key, "dataset.key", shown)
        rows = Rows(x.shape, x.dtype, lambda rows: _rows(x, rows), f"{shown} ({key})", self.layout, self.range)
        name = self.labels
        if name == "auto":
            name = next((name for name in _LABELS if name in found and name != key), None)
        if name is None:
            return Arrays(rows)
        y = _named(found, name, "dataset.labels", shown)
        labels = labels_of(np.asarray(y[:]), len(rows), f"{shown} ({name})")
        return Arrays.labelled(rows, labels)

    def _samples_of(self, found: Mapping[str, Any], shown: str) -> str:
        """Return the name of the array of samples."""
        names = [name for name, array in found.items() if len(array.shape) > 1 or len(found) == 1]
        if len(names) != 1:
            names = [name for name in _SAMPLES if name in names]
        if not names:
            raise UserError(
                f"{shown} has the arrays {', '.join(found) or 'none'}: name the samples with dataset.key=NAME"
            )
        return names[0]


def _named(found: Mapping[str, Any], name: str, key: str, shown: str) -> Any:
    if name not in found:
        raise UserError(f"{key}={name}: {shown} has the arrays {', '.join(found) or 'none'}")
    return found[name]


def _rows(x: Any, rows: Any) -> np.ndarray:
    """Return rows of an array in memory, in a mapped file, or in an HDF5 file, which wants them ascending and few."""
    if isinstance(x, np.ndarray) or isinstance(rows, slice):
        return np.asarray(x[rows])
    ascending, places = np.unique(rows, return_inverse=True)
    first, last = int(ascending[0]), int(ascending[-1]) + 1
    if last - first <= 2 * len(ascending):
        return x[first:last][ascending - first][places]
    return np.stack([x[int(row)] for row in ascending])[places]


class ArrayFile(_ArrayFile):
    """Images or points in a .npy file, which is memory-mapped, or with their labels in a .npz file."""

    name = "array"
    expected = "FILE.npy (or .npz)"

    def read(self, file: Path) -> Mapping[str, Any]:
        """Return the arrays; that of a .npy file is `x`."""
        ending = file.suffix.casefold()
        if ending not in (".npy", ".npz"):
            raise ValueError(f"it must be {self.expected}")
        if ending == ".npy":
            return {"x": np.load(file, mmap_mode="r", allow_pickle=False)}
        with np.load(file, allow_pickle=False) as found:
            return dict(found)


class HDF5(_ArrayFile):
    """Images or points, and their labels, in an HDF5 file, which is read as it is needed."""

    name = "hdf5"
    expected = "FILE.h5"

    def read(self, file: Path) -> Mapping[str, Any]:
        """Return the arrays by their paths in the file."""
        require("h5py", "hdf5", self.name, "reads its file")
        import h5py  # an extra

        found: dict[str, Any] = {}

        def collect(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.shape:
                found[name] = item

        h5py.File(file, "r").visititems(collect)
        return found
