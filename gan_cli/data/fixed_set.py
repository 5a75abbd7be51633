"""The base class of all datasets with a fixed number of samples: keys, split and opening."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveInt

from gan_cli.data.digest import digest
from gan_cli.data.loader import Mapped, Order, Resident
from gan_cli.data.memory import is_resident
from gan_cli.data.prepared import Prepared
from gan_cli.data.source import RealData, Tags
from gan_cli.data.split import Split
from gan_cli.data.unused import Unused
from gan_cli.rng import generator

Holdout = Literal["auto"] | PositiveInt | Annotated[float, Field(gt=0, lt=1)]
Limit = PositiveInt | dict[str, PositiveInt] | None


class Stored(NamedTuple):
    """The samples of a dataset, ready for training, and their split.

    Attributes:
        shape: of one sample.
        ready: the samples.
        parts: the split.
        notes: as of `RealData`.
        unused: likewise.
    """

    shape: tuple[int, ...]
    ready: Prepared
    parts: Split
    notes: tuple[str, ...] = ()
    unused: tuple[Unused, ...] = ()


class FixedSet(ABC):
    """A dataset with a fixed number of samples; a subclass has the samples.

    Args:
        holdout: samples that the critic never learns from: a count, a share below 1, or "auto", 5 % capped at 5,000.
            The split does not depend on the seed.
        limit: samples to learn from, at most, beside those held out; or for each class, by name or number, how many of
            it, and all of a class that is not named; None: all.
        classes: to keep, by name or number, numbered in this order; None: all.
        resident: keep the samples on the training device (True), or read them ahead of their use from where they are
            (False); "auto": on the device if they take at most a quarter of its free memory.
    """

    name: ClassVar[str]

    def __init__(
        self,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
    ) -> None:
        self.holdout = holdout
        self.limit = limit
        self.classes = classes
        self.resident = resident

    @abstractmethod
    def stored(self, batch_size: int, device: torch.device) -> Stored:
        """Read, prepare and split the samples.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split the samples.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        shape, ready, parts, notes, unused = self.stored(batch_size, device)
        sources = {"train": parts.train, "heldout": parts.heldout}
        train, heldout = (
            self._source(ready, positions, parts.labels, name, batch_size, seed, device)
            for name, positions in sources.items()
        )
        labels = () if parts.labels is None else (parts.labels[parts.train], parts.labels[parts.heldout])
        rows = (ready.rows(parts.train), ready.rows(parts.heldout))
        return RealData(
            shape=shape,
            class_names=parts.class_names,
            train=train,
            heldout=heldout,
            fingerprint=digest(shape, ready.digest, parts.class_names, *rows, *labels),
            fixed=lambda n: train.at(fixed_order(n, len(parts.train))),
            tags=self._tags(parts),
            label_size=parts.labels.shape[1] if parts.labels is not None and parts.labels.ndim == 2 else 0,
            notes=notes,
            class_sizes=parts.class_sizes,
            unused=unused,
        )

    def _tags(self, parts: Split) -> Tags | None:
        return None

    def _source(
        self,
        ready: Prepared,
        positions: np.ndarray,
        labels: np.ndarray | None,
        stream: str,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> Resident | Mapped:
        rows = ready.rows(positions)
        own = None if labels is None else labels[positions]
        size = ready.images.itemsize * bytes_of(ready.images.shape[1:], len(rows))
        resident = is_resident(self.resident, size, device)
        on = device if resident else torch.device("cpu")
        order = self._order(len(rows), min(batch_size, len(rows)), seed, stream, on)
        if resident:
            return Resident(ready.images, rows, own, order, device)
        # Held-out batches are drawn now and then, at steps far apart: nothing to read ahead.
        return Mapped(ready.images, rows, own, order, device, **({} if stream == "train" else {"ahead": 0}))

    def _order(self, n: int, batch_size: int, seed: int, stream: str, device: torch.device) -> Order:
        return Order(n, batch_size, seed, stream, device)


def fixed_order(n: int, size: int) -> torch.Tensor:
    """Return n indices in [0, size) in an order that depends only on size; if n > size, they repeat from the start."""
    order = torch.randperm(size, generator=generator("cpu", 0, "fixed"))
    return order[torch.arange(n) % size]


def bytes_of(shape: tuple[int, ...], n: int) -> int:
    """Return the bytes of n samples of a shape, a byte a value."""
    return n * int(np.prod(shape))
