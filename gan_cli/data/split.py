"""The split into training images and held-out images, which depends on data and config, never on the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from gan_cli.data.classes import class_number
from gan_cli.errors import UserError
from gan_cli.rng import generator

AUTO_SHARE, AUTO_CAP = 0.05, 5000


@dataclass(frozen=True)
class Split:
    """The positions of training images and held-out images in a collection.

    Attributes:
        train: (n,) int64, ascending.
        heldout: (m,) int64, ascending, none of them in `train`.
        labels: of every image of the collection: (N,) int64, in [0, n_classes) for those chosen; or vectors (N, F), or
            None.
        class_names: of the labels, or None.
    """

    train: np.ndarray
    heldout: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None

    @property
    def positions(self) -> np.ndarray:
        """All positions in use, ascending."""
        return np.sort(np.concatenate([self.train, self.heldout]))

    @property
    def class_sizes(self) -> tuple[int, ...] | None:
        """How many of the images in use each class has; None without labels."""
        if self.labels is None or self.class_names is None:
            return None
        return tuple(np.bincount(self.labels[self.positions], minlength=len(self.class_names)).tolist())

    def only(self, kept: np.ndarray) -> Split:
        """Return the split without the positions that are not in `kept`."""
        return Split(_within(self.train, kept), _within(self.heldout, kept), self.labels, self.class_names)


def split(
    n: int,
    labels: np.ndarray | None,
    class_names: tuple[str, ...] | None,
    *,
    classes: Sequence[int | str] | None,
    holdout: Literal["auto"] | int | float,
    limit: int | Mapping[str, int] | None,
    unreadable: np.ndarray | None = None,
) -> Split:
    """Choose classes, then hold out a part, then limit the training images.

    The held-out images are the same for any seed and `limit`, and a smaller limit gives a subset of a larger one. In
    the place of an image that cannot be read, the next one of the same order is held out.

    Args:
        n: number of images in the collection.
        labels: (n,), vectors (n, F), or None.
        class_names: of the labels, or None.
        classes: classes to keep, by name or number; they get new numbers in this order. None: all.
        holdout: number of held-out images, a share below 1, or `auto`: 5 %, at most 5,000.
        limit: largest number of training images, or of each class by its name or number before the choice; the held-out
            images are not counted.
        unreadable: positions that are in neither part.

    Raises:
        UserError: there are no such classes, or no images are left.
    """
    chosen = np.arange(n)
    before = class_names
    if classes is not None:
        labels, class_names = _choose(labels, class_names, classes)
        chosen = np.flatnonzero(labels >= 0)
    held = _count(len(chosen), holdout)
    order = chosen[torch.randperm(len(chosen), generator=generator("cpu", 0, "holdout")).numpy()]
    if unreadable is not None:
        order = order[~np.isin(order, unreadable)]
    train = order[held:]
    if isinstance(limit, Mapping):
        train = _limited(train, labels, before, class_names, limit)
    elif limit is not None:
        train = train[:limit]
    return Split(np.sort(train), np.sort(order[:held]), labels, class_names)


def check_batch(name: str, found: Split, batch_size: int) -> None:
    """Raise an error for data that are fewer than a batch.

    Raises:
        UserError: there are fewer training images than a batch, or none held out; the error gives the numbers.
    """
    train, heldout = len(found.train), len(found.heldout)
    if heldout == 0:
        raise UserError(f"{name}: none of its {train + heldout} image(s) can be held out; at least two are needed")
    if train < batch_size:
        fix = f"use train.batch_size={train} or less, or more images" if train else "at least two images are needed"
        raise UserError(
            f"{name}: {train} image(s) to train on ({heldout} more held out) are fewer than "
            f"train.batch_size={batch_size}: {fix}"
        )


def _count(n: int, holdout: Literal["auto"] | int | float) -> int:
    if holdout == "auto":
        return min(AUTO_CAP, max(1, round(AUTO_SHARE * n)))
    if isinstance(holdout, int):
        if holdout >= n:
            raise UserError(f"dataset.holdout={holdout} leaves no images to train on: there are {n} image(s)")
        return holdout
    return max(1, round(holdout * n))


def _choose(
    labels: np.ndarray | None, class_names: tuple[str, ...] | None, classes: Sequence[int | str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    shown = f"dataset.classes=[{','.join(map(str, classes))}]"
    if labels is None or class_names is None:
        raise UserError(f"{shown}: these images have no class labels; use dataset.classes=null")
    numbers = [class_number(c, class_names, shown) for c in classes]
    if not numbers or len(set(numbers)) < len(numbers):
        raise UserError(f"{shown}: name at least one class, and each class only once")
    renumber = np.full(len(class_names), -1, dtype=np.int64)
    renumber[numbers] = np.arange(len(numbers))
    return renumber[labels], tuple(class_names[i] for i in numbers)


def _limited(
    order: np.ndarray,
    labels: np.ndarray | None,
    all_names: tuple[str, ...] | None,
    class_names: tuple[str, ...] | None,
    limit: Mapping[str, int],
) -> np.ndarray:
    """Return the positions in their order, without those beyond the limit of a class."""
    shown = f"dataset.limit={{{','.join(f'{name}:{n}' for name, n in limit.items())}}}"
    if labels is None or all_names is None or class_names is None:
        raise UserError(f"{shown}: these images have no class labels; use dataset.limit=NUMBER, or null")
    kept = np.ones(len(order), dtype=bool)
    for wanted, n in limit.items():
        name = all_names[class_number(wanted, all_names, shown)]
        if name not in class_names:
            raise UserError(f"{shown}: {name} is not in dataset.classes; remove it here or add it there")
        kept[np.flatnonzero(labels[order] == class_names.index(name))[n:]] = False
    return order[kept]


def _within(positions: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return positions[np.isin(positions, kept, assume_unique=True)]
