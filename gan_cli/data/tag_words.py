"""Batches of words: of each image of a batch, one of its tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gan_cli.data.loader import Order
from gan_cli.data.source import Batch, Source
from gan_cli.rng import generator


class Images(Source, Protocol):
    """A stream of images that gives any of them."""

    def at(self, index: Tensor) -> Batch:
        """Return the images of any (n,) indices on the CPU."""
        ...


class TagWords:
    """A stream of numbers of words, with the features of their images as sources; a tag is drawn for every batch.

    A row of a batch has the word that is drawn first, and then all words of the image, -1 where others have more. The
    task has the words' vectors: those of a checkpoint, where a run is continued.

    Args:
        images: the images.
        rows: (N,) those of them that are used.
        tags: the words of each, at least one.
        features: (N, F) of each, on the device.
        order: order of the batches.
        seed: the run's seed.
        stream: name of the use; two streams are independent.
    """

    def __init__(
        self,
        images: Images,
        rows: Tensor,
        tags: Sequence[Sequence[int]],
        features: Tensor,
        order: Order,
        seed: int,
        stream: str,
    ) -> None:
        self.size: int | None = len(tags)
        self.images, self.rows, self.tags, self.features = images, rows, tags, features
        self._order, self._seed, self._stream = order, seed, stream
        device = features.device
        self._counts = torch.tensor([len(words) for words in tags], device=device)
        self._words = torch.full((len(tags), int(self._counts.max())), -1, device=device)
        for row, words in zip(self._words, tags, strict=True):
            row[: len(words)] = torch.tensor(words)

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the images of batch k and the word of each, a pure function of (seed, k)."""
        index = self._order.indices(k)
        u = torch.rand(len(index), generator=generator("cpu", self._seed, "tag", self._stream, k)).to(index.device)
        return index, self._word(index, u)

    def batch(self, *drawn: Tensor) -> Batch:
        """Return drawn words and all words of their images, x (N, 1 + M) int64, and the features of the images."""
        index, word = drawn
        words = torch.cat([word[:, None], self._words.index_select(0, index)], dim=1)
        return Batch(words, None, None, self.features.index_select(0, index))

    def at(self, index: Tensor) -> Batch:
        """Return the first tag of any (n,) images on the CPU."""
        index = index.to(self.features.device)
        return self.batch(index, self._words[index, 0])

    def pictures(self, n: int) -> Tensor:
        """Return the first n images (n, C, S, S) in [-1, 1]."""
        return self.images.at(self.rows[:n]).x

    def _word(self, index: Tensor, u: Tensor) -> Tensor:
        counts = self._counts[index]
        return self._words[index, (u * counts).long().minimum(counts - 1)]
