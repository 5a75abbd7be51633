"""The base class of datasets whose samples are arrays, and such arrays of Python's."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.digest import Digest
from gan_cli.data.fixed_set import FixedSet, Holdout, Limit, Stored
from gan_cli.data.prepared import Prepared
from gan_cli.data.rows import Rows, chunks
from gan_cli.data.source import LabelKind
from gan_cli.data.split import check_batch, split
from gan_cli.errors import UserError


@dataclass(frozen=True)
class Arrays:
    """Samples and their labels.

    Attributes:
        x: images (N, C, H, W), uint8, uint16 or float32 in [-1, 1]; or points (N, D), float32.
        labels: classes (N,) int64 in [0, n_classes), vectors (N, F) float32, or None.
        class_names: of the classes, or None.
    """

    x: np.ndarray | Rows
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None

    @classmethod
    def labelled(cls, x: np.ndarray | Rows, labels: np.ndarray) -> Arrays:
        """Return samples with labels, checked; classes are named by their numbers."""
        count = int(labels.max(initial=-1)) + 1
        return cls(x, labels, tuple(map(str, range(count))) if labels.ndim == 1 else None)


class ArraySet(FixedSet):
    """A dataset whose samples are arrays; a subclass has them.

    Args:
        holdout: as `FixedSet`.
        limit: as `FixedSet`.
        classes: as `FixedSet`.
        resident: as `FixedSet`.
        flip: reflect each image in half of the cases, left for right, when a run trains on it.
    """

    def __init__(
        self,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
    ) -> None:
        super().__init__(holdout, limit, classes, resident)
        self.flip = flip

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return the samples.

        Raises:
            UserError: they are not there.
        """

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, H, W) or (D,)."""
        return self.arrays().x.shape[1:]

    def expected_classes(self) -> int:
        """Return the number of classes, or of a label vector's numbers, 0 without labels."""
        if (labels := self.arrays().labels) is not None and labels.ndim == 2:
            return labels.shape[1]
        return len(self.classes or self.arrays().class_names or ()) if self.arrays().class_names else 0

    def expected_labels(self) -> LabelKind:
        """Return what the labels are."""
        labels = self.arrays().labels
        if labels is None or labels.ndim == 1:
            return "class"
        return "binary" if np.isin(labels, (0, 1)).all() else "numbers"

    def stored(self, batch_size: int, device: torch.device) -> Stored:
        """Split the samples.

        Raises:
            UserError: they are fewer than a batch.
        """
        x, labels, names = (found := self.arrays()).x, found.labels, found.class_names
        if self.flip and len(x.shape) == 2:
            raise UserError("dataset.flip=true: reflects images, and these samples are points: dataset.flip=false")
        if isinstance(x, Rows):
            x.check()
        parts = split(len(x), labels, names, classes=self.classes, holdout=self.holdout, limit=self.limit)
        check_batch(f"dataset={self.name}", parts, batch_size)
        running, used = Digest(), parts.positions
        running.texts([str(x.dtype)])
        for part in chunks(x, len(used)):
            running.update(x[used[part]])
        return Stored(x.shape[1:], Prepared(x, np.arange(len(x)), running.text(), []), parts)


def as_arrays(data: Any) -> Arrays:
    """Return data of Python's as samples: an array or tensor, a pair of those and labels, or a map-style Dataset.

    Args:
        data: images (N, C, H, W), (N, H, W, C) or (N, H, W) of 1 to 16 channels, uint8, uint16, or floating-point in
            [-1, 1], as `Rows` tells them apart; points (N, D); (x, y) with labels y, as `labels_of` takes them; a
            Dataset of such images or points, with or without labels, of which each is read once.

    Raises:
        UserError: anything else.
    """
    if isinstance(data, Arrays):
        return data
    names = None
    if isinstance(data, tuple) and len(data) == 2:
        x, y = data
    elif isinstance(data, (Tensor, np.ndarray)):
        x, y = data, None
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        x, y = _read(data)
        names = getattr(data, "classes", None)
    else:
        raise UserError(
            f"dataset={type(data).__name__}: must be a tensor or an array of samples, a pair (x, y) with labels, or a "
            "map-style Dataset (with a length and an item for each number)"
        )
    array = _array(x)
    rows = Rows(array.shape, array.dtype, array.__getitem__, "dataset", has_range=False)
    rows.check()
    x = rows[:]
    if y is None:
        return Arrays(x)
    found = Arrays.labelled(x, labels_of(_array(y), len(x)))
    known = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    if not known or found.class_names is None or len(names) < len(found.class_names):
        return found
    return replace(found, class_names=tuple(names))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.asarray(value)


def _read(data: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return all items of a Dataset: samples, and labels where an item has a second part."""
    items = [data[i] for i in range(len(data))]
    pairs = [item if isinstance(item, (tuple, list)) else (item,) for item in items]
    if not pairs:
        raise UserError(f"dataset={type(data).__name__}: it is empty")
    x = [_array(pair[0]) for pair in pairs]
    if odd := next((i for i, sample in enumerate(x) if sample.shape != x[0].shape), None):
        raise UserError(
            f"dataset={type(data).__name__}: item 0 has the shape {x[0].shape} and item {odd} {x[odd].shape}; all need "
            "the same one"
        )
    return np.stack(x), (np.stack([_array(pair[1]) for pair in pairs]) if len(pairs[0]) > 1 else None)


def labels_of(y: np.ndarray, n: int, shown: str = "dataset") -> np.ndarray:
    """Return classes (N,) as int64, or label vectors (N, F) as float32.

    Args:
        y: whole numbers from 0 (N,); or (N, F), floating-point, boolean, or whole numbers with F of at least 2.
        n: samples.
        shown: where the labels are, for errors.

    Raises:
        UserError: other labels, another number of them, or numbers that are not finite.
    """
    if y.ndim == 2 and len(y) == n and y.shape[1] > (y.dtype.kind in "iu") and y.dtype.kind in "iubf":
        if not np.isfinite(y).all():
            raise UserError(f"{shown}: some numbers of the labels {y.dtype} {y.shape} are not finite")
        return np.ascontiguousarray(y, dtype=np.float32)
    if y.shape != (n,) or not np.issubdtype(y.dtype, np.integer) or (n and y.min() < 0):
        raise UserError(
            f"{shown}: the labels are {y.dtype} {y.shape}; they must be whole numbers from 0, one for each of the "
            f"{n:,} samples, or vectors ({n}, F), floating-point where F is 1"
        )
    return y.astype(np.int64)
