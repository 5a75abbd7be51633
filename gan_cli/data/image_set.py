"""The base class of all image datasets: keys, split and opening."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt

from gan_cli.data import prepared
from gan_cli.data.collection import Collection
from gan_cli.data.digest import digest
from gan_cli.data.loader import Mapped, Order, Resident
from gan_cli.data.memory import is_resident
from gan_cli.data.prepared import Prepared
from gan_cli.data.source import RealData
from gan_cli.data.split import Split, check_batch, split
from gan_cli.rng import generator

Limit = PositiveInt | dict[str, PositiveInt] | None


class ImageSet(ABC):
    """A dataset of images; a subclass finds the files.

    Args:
        image_size: S; images are (C, S, S).
        path: a directory with the files; None: searched in the usual places, then downloaded.
        holdout: images that the critic never learns from: a count, a share below 1, or "auto", 5 % capped at 5,000.
            The split does not depend on the seed.
        limit: images to learn from, at most, beside those held out; or for each class, by name or number, how many of
            it, and all of a class that is not named; None: all.
        classes: to keep, by name or number, numbered anew in this order; None: all.
        resident: keep the images on the training device (True), or read them from the disk ahead of their use
            (False); "auto": on the device if they take at most a quarter of its free memory.
        flip: reflect each image in half of the cases, left for right, when a run trains on it.
    """

    name: ClassVar[str]
    channels: ClassVar[int]
    n_classes: ClassVar[int | None] = 10  # 0: there are no labels; None: only the files show

    def __init__(
        self,
        image_size: Annotated[int, Field(ge=8, le=1024)],
        path: str | None = None,
        holdout: Literal["auto"] | PositiveInt | Annotated[float, Field(gt=0, lt=1)] = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
    ) -> None:
        self.image_size = image_size
        self.path = path
        self.holdout = holdout
        self.limit = limit
        self.classes = classes
        self.resident = resident
        self.flip = flip

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, S, S)."""
        return (self.channels, self.image_size, self.image_size)

    def expected_classes(self) -> int | None:
        """Return the number of classes, 0 without labels, None if only the files show it."""
        return len(self.classes) if self.classes and self.n_classes != 0 else self.n_classes

    @abstractmethod
    def collect(self) -> Collection:
        """Find the files.

        Raises:
            UserError: they are missing or damaged; the text names what is needed.
        """

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split the images.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        found = self.collect()
        parts = self._split(found, batch_size)
        ready = self._prepare(found, parts, device)
        if ready.bad:
            _report_bad(ready)
            parts = parts.only(ready.positions)
            check_batch(self._named(), parts, batch_size)
        sources = {"train": parts.train, "heldout": parts.heldout}
        train, heldout = (
            self._source(ready, positions, parts.labels, name, batch_size, seed, device)
            for name, positions in sources.items()
        )
        labels = () if parts.labels is None else (parts.labels[parts.train], parts.labels[parts.heldout])
        rows = (ready.rows(parts.train), ready.rows(parts.heldout))
        return RealData(
            shape=found.shape,
            class_names=parts.class_names,
            train=train,
            heldout=heldout,
            fingerprint=digest(found.shape, ready.digest, parts.class_names, *rows, *labels),
            fixed=lambda n: train.at(_fixed(n, len(parts.train))),
        )

    def _named(self) -> str:
        return f"dataset={self.name}" + (f" ({self.path})" if self.path else "")

    def _split(self, found: Collection, batch_size: int) -> Split:
        parts = split(
            len(found),
            found.labels,
            found.class_names,
            classes=self.classes,
            holdout=self.holdout,
            limit=self.limit,
        )
        check_batch(self._named(), parts, batch_size)
        return parts

    def _prepare(self, found: Collection, parts: Split, device: torch.device) -> Prepared:
        positions = parts.positions
        size = _bytes(found.shape, len(positions))
        host = torch.device("cpu")
        fits = is_resident(self.resident, size, device) and is_resident("auto", size, host)
        in_memory = fits and not found.costly
        return prepared.in_memory(found, positions) if in_memory else prepared.on_disk(found, positions)

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
        resident = is_resident(self.resident, _bytes(ready.images.shape[1:], len(rows)), device)
        on = device if resident else torch.device("cpu")
        order = self._order(len(rows), min(batch_size, len(rows)), seed, stream, on)
        if resident:
            return Resident(ready.images, rows, own, order, device)
        # Held-out batches are drawn now and then, at steps far apart: nothing to read ahead.
        return Mapped(ready.images, rows, own, order, device, **({} if stream == "train" else {"ahead": 0}))

    def _order(self, n: int, batch_size: int, seed: int, stream: str, device: torch.device) -> Order:
        return Order(n, batch_size, seed, stream, device)


def _report_bad(ready: Prepared) -> None:
    name, reason = ready.bad[0]
    total = len(ready.bad) + len(ready.positions)
    print(f"skipped {len(ready.bad):,} of {total:,} pictures; the first is {name}: {reason}", file=sys.stderr)


def _fixed(n: int, size: int) -> torch.Tensor:
    """Return n indices in [0, size) in an order that depends only on size; if n > size, they repeat from the start."""
    order = torch.randperm(size, generator=generator("cpu", 0, "fixed"))
    return order[torch.arange(n) % size]


def _bytes(shape: tuple[int, ...], n: int) -> int:
    return n * int(np.prod(shape))
