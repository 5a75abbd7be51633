"""Random reflection of the real images."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.data.source import Batch, Source
from gan_cli.rng import generator


class Flipped:
    """A stream whose images are reflected, left for right, in half of the cases; their sources with them.

    Args:
        source: of the images.
        batch_size: images a batch.
        seed: the run's seed; which images of batch k are reflected depends on (seed, k) alone.
        device: of the images.
    """

    def __init__(self, source: Source, batch_size: int, seed: int, device: torch.device) -> None:
        self.source, self.size = source, source.size
        self._batch_size, self._seed, self._device = batch_size, seed, device

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the draws of the stream, and which images are reflected."""
        coins = torch.rand(self._batch_size, generator=generator("cpu", self._seed, "flip", k)) < 0.5
        return (*self.source.draw(k), coins.to(self._device, non_blocking=True))

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the batch, with its reflected images."""
        *own, coins = drawn
        batch = self.source.batch(*own)
        return batch._replace(x=_flipped(batch.x, coins), source=_flipped(batch.source, coins))


def _flipped(images: Tensor | None, coins: Tensor) -> Tensor | None:
    return None if images is None else torch.where(coins[:, None, None, None], images.flip(3), images)
