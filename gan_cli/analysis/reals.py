"""Real samples to compare a generator with."""

from __future__ import annotations

from itertools import count
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gan_cli.data.fixed_set import FixedSet
from gan_cli.data.loader import to_bytes, to_float
from gan_cli.data.source import Batch, Dataset, RealData, Source
from gan_cli.errors import UserError
from gan_cli.tasks.base import Generate

AUTO_COUNT = 5_000  # samples where the data have more
POINTS = 500  # a batch of an endless stream


class Reals(NamedTuple):
    """Two disjoint sets of real samples of the same size.

    Attributes:
        first: the set that fakes are compared with.
        second: compared with `first` in place of the fakes, for the floor.
        second_split: the split that the second set is from.
    """

    first: Batch
    second: Batch
    second_split: str


def open_singly(dataset: Dataset, device: torch.device, task: Generate | None = None) -> RealData:
    """Open a dataset in the same order for every run, one image (of each domain) per batch, so that none is left out.

    Args:
        dataset: unopened.
        device: where the data will be.
        task: what a run makes of the data; None: samples alone.

    Raises:
        UserError: the data are missing or damaged.
    """
    task = task or Generate()
    singly = isinstance(dataset, FixedSet) or len(dataset.expected_shape()) == 3
    return task.open(dataset, (2 if task.twofold else 1) if singly else POINTS, 0, device)


def two_sets(
    data: RealData,
    split: Literal["train", "heldout"],
    n_wanted: int | Literal["auto"],
    key: str = "count",
    task: Generate | None = None,
    least: int = 1,
) -> Reals:
    """Return n samples of a split, and n others: from the other split if it has as many, else from the same split.

    Args:
        data: result of `open_singly`.
        split: split of the first set.
        n_wanted: n; `auto`: as many as both sets can have, at most AUTO_COUNT.
        key: the config key of n.
        task: what a run makes of the data; None: samples alone.
        least: samples of each set, and of each domain, that the measures need.

    Raises:
        UserError: there are not enough samples, or an odd number of two domains.
    """
    other = "heldout" if split == "train" else "train"
    own_source, other_source = getattr(data, split), getattr(data, other)
    own, others = _size(own_source), _size(other_source)
    most = max(min(own, others), own // 2)
    domains = 2 if task and task.twofold else 1
    most -= most % domains
    least *= domains
    if most < least:
        needed = least if others >= least else 2 * least
        raise UserError(
            f"{key}={n_wanted}: the {split} split has {own:,} samples and the other {others:,}, which make two sets of "
            f"{most} with no sample in common; the scores need {least} in each: {needed} or more in the {split} split"
        )
    n = min(AUTO_COUNT, most) if n_wanted == "auto" else n_wanted
    if n % domains:
        raise UserError(f"{key}={n}: the samples are of two domains, as many of each: {key}={n + 1}")
    if n < least:
        raise UserError(f"{key}={n}: the samples are of two domains, and the scores need {least}: {key}={least}")
    if n > most:
        raise UserError(
            f"{key}={n}: the {split} split has {own:,} samples and the other {others:,}; two sets with no sample in "
            f"common need {key}={most} or less"
        )
    if others >= n:
        return Reals(take(own_source, 0, n), take(other_source, 0, n), other)
    return Reals(take(own_source, 0, n), take(own_source, n, n), split)


def take(source: Source, start: int, n: int) -> Batch:
    """Return n samples of a stream, starting at batch `start`."""
    parts = (source.batch(*source.draw(k)) for k in count(start))
    first = next(parts)
    kept = [None if tensor is None else Joined(n, tensor) for tensor in first]
    while not kept[0].is_full:
        for whole, tensor in zip(kept, next(parts), strict=True):
            if whole is not None:
                whole.add(tensor)
    return Batch(*(None if whole is None else whole.tensor for whole in kept))


class Joined:
    """The first n rows of tensors one after the other: as `torch.cat` has them, but never held twice.

    Args:
        n: rows in all.
        first: the first tensor.

    Attributes:
        tensor: (n, ...), filled as far as tensors were added.
    """

    def __init__(self, n: int, first: Tensor) -> None:
        self.tensor = first.new_empty_strided((n, *first.shape[1:]), first.stride())
        self._filled = 0
        self.add(first)

    @property
    def is_full(self) -> bool:
        """Whether there are n rows."""
        return self._filled == len(self.tensor)

    def add(self, part: Tensor) -> None:
        """Add the rows of a tensor, as many as there is room for."""
        part = part[: len(self.tensor) - self._filled]
        self.tensor[self._filled : self._filled + len(part)] = part
        self._filled += len(part)


def in_turn(y: Tensor, n: int) -> Tensor:
    """Return n labels by repeating the labels y (N,) of real samples, so that classes have the same shares."""
    return y[torch.arange(n, device=y.device) % len(y)]


def available(source: Source) -> int | None:
    """Return the number of different samples of a stream, None for an endless stream."""
    return None if getattr(source, "endless", source.size is None) else source.size


def _size(source: Source) -> int:
    size = available(source)
    return 2**40 if size is None else size


def as_stored(x: Tensor) -> Tensor:
    """Return images rounded as in an 8-bit file, in [-1, 1]; points unchanged."""
    return x if x.dim() != 4 else to_float(to_bytes(x))
