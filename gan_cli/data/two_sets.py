"""Two sets of images as one: even rows from the first, odd rows from the second."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from gan_cli.data.digest import digest
from gan_cli.data.source import Batch, RealData, Source


class Alternating:
    """A stream whose batches have a row of one stream, a row of another, and so on.

    Args:
        a: of the even rows.
        b: of the odd rows.
    """

    def __init__(self, a: Source, b: Source) -> None:
        self.a, self.b = a, b
        self.size = None if a.size is None or b.size is None else 2 * min(a.size, b.size)

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return what both streams draw of their batch k."""
        drawn = self.a.draw(k)
        self._n_drawn = len(drawn)
        return (*drawn, *self.b.draw(k))

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the rows of both batches in turn; as many of each, without labels."""
        return alternated(self.a.batch(*drawn[: self._n_drawn]), self.b.batch(*drawn[self._n_drawn :]))


def alternated(a: Batch, b: Batch) -> Batch:
    """Return the rows of two batches in turn, as many of each, without labels."""
    n = min(len(a.x), len(b.x))
    return Batch(torch.stack([a.x[:n], b.x[:n]], dim=1).flatten(0, 1), None)


def two_sets(a: RealData, b: RealData) -> RealData:
    """Return two opened datasets of images of one shape as one, whose samples alternate."""
    return RealData(
        shape=a.shape,
        class_names=None,
        train=Alternating(a.train, b.train),
        heldout=Alternating(a.heldout, b.heldout),
        fingerprint=digest(a.fingerprint, b.fingerprint),
        fixed=lambda n: alternated(a.fixed((n + 1) // 2), b.fixed((n + 1) // 2)),
        source_shape=a.shape,
        notes=(*a.notes, *(re.sub(r"\bdataset(?=[.:])", "dataset_b", note) for note in b.notes)),
        unused=(*a.unused, *b.unused),
    )
