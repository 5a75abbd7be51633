"""Real samples that a generator is compared with."""

from __future__ import annotations

from itertools import count
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gan_cli.data.loader import to_bytes, to_float
from gan_cli.data.source import Batch, Dataset, RealData, Source
from gan_cli.errors import UserError

AUTO_COUNT = 5_000  # samples where the data have more
POINTS = 500  # a batch of an endless stream


class Reals(NamedTuple):
    """Two disjoint sets of real samples of one size.

    Attributes:
        first: what fakes are compared with.
        second: compared with `first` in the fakes' place, for the floor.
        second_split: where the second are from.
    """

    first: Batch
    second: Batch
    second_split: str


def open_singly(dataset: Dataset, device: torch.device) -> RealData:
    """Open a dataset in an order that is the same for every run: image by image, so that none is left out.

    Raises:
        UserError: the data are missing or damaged.
    """
    return dataset.open(1 if len(dataset.expected_shape()) == 3 else POINTS, 0, device)


def two_sets(
    data: RealData, split: Literal["train", "heldout"], n_wanted: int | Literal["auto"], key: str = "count"
) -> Reals:
    """Return n samples of a split, and n others: of the other split where it has as many, else of the same.

    Args:
        data: of `open_singly`.
        split: of the first set.
        n_wanted: n; `auto`: as many as there are for both, at most AUTO_COUNT.
        key: what the user calls n.

    Raises:
        UserError: there are not enough samples.
    """
    other = "heldout" if split == "train" else "train"
    own_source, other_source = getattr(data, split), getattr(data, other)
    own, others = _size(own_source), _size(other_source)
    most = max(min(own, others), own // 2)
    n = min(AUTO_COUNT, most) if n_wanted == "auto" else n_wanted
    if n > most:
        raise UserError(
            f"{key}={n}: the {split} split has {own:,} samples and the other {others:,}; two sets without a sample in "
            f"common take at most {key}={most}"
        )
    if others >= n:
        return Reals(take(own_source, 0, n), take(other_source, 0, n), other)
    return Reals(take(own_source, 0, n), take(own_source, n, n), split)


def take(source: Source, start: int, n: int) -> Batch:
    """Return n samples of a stream from its batch `start` on."""
    parts, found = [], 0
    for k in count(start):
        parts.append(source.batch(*source.draw(k)))
        found += len(parts[-1].x)
        if found >= n:
            break
    y = None if parts[0].y is None else torch.cat([part.y for part in parts])[:n]
    return Batch(torch.cat([part.x for part in parts])[:n], y)


def in_turn(y: Tensor, n: int) -> Tensor:
    """Return n labels, those of real samples y (N,) again and again: classes in the shares that they have there."""
    return y[torch.arange(n, device=y.device) % len(y)]


def available(source: Source) -> int | None:
    """Return how many different samples a stream has, None for no end."""
    return None if getattr(source, "endless", source.size is None) else source.size


def _size(source: Source) -> int:
    size = available(source)
    return 2**40 if size is None else size


def as_stored(x: Tensor) -> Tensor:
    """Return images as an 8-bit file would hold them, in [-1, 1]; points as they are."""
    return x if x.dim() != 4 else to_float(to_bytes(x))
