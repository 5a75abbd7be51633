"""The roles of a dataset and of its stream of batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Real samples.

    Attributes:
        x: images (N, C, H, W) float32 in [-1, 1], or points (N, D) float32.
        y: class labels (N,) int64 in [0, n_classes), or None.
        c: latent codes (N, C) behind generated samples, or None.
    """

    x: Tensor
    y: Tensor | None
    c: Tensor | None = None

    def head(self, n: int) -> Batch:
        """Return the first n samples, all where there are fewer."""
        return Batch(*(t if t is None else t[:n] for t in self))


class Source(Protocol):
    """An endless stream of batches; batch k is a pure function of (seed, k), so a resumed run needs only k."""

    size: int | None  # samples behind the stream; None: unlimited

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """What is random or slow about batch k: indices, prefetched uint8 images, or drawn points, on the device."""
        ...

    def batch(self, *drawn: Tensor) -> Batch:
        """Turn `draw`'s tensors into a batch: device work alone, no host synchronisation, fit for a CUDA graph."""
        ...


@dataclass(frozen=True)
class RealData:
    """An opened dataset.

    Attributes:
        shape: of one sample: (C, H, W) or (D,).
        class_names: of the labels, or None where there are none.
        train: what the critic learns from.
        heldout: the fixed split the critic never learns from; its batches are smaller where it has fewer samples.
        fingerprint: identifies the content and the preparation; kept with the run.
        modes: centres (M, D) of the mixture's components and their standard deviation, where that is what the data are.
        fixed: n samples of the training split in a fixed order, for pictures: `fixed(n) -> Batch`; from the start again
            where there are fewer.
    """

    shape: tuple[int, ...]
    class_names: tuple[str, ...] | None
    train: Source
    heldout: Source
    fingerprint: str
    fixed: Callable[[int], Batch]
    modes: tuple[Tensor, float] | None = None


class Dataset(Protocol):
    """A dataset as its YAML names it: cheap to construct, nothing read until `open`."""

    def expected_shape(self) -> tuple[int, ...]:
        """The shape of one sample as far as it is known before the data are read; used to build and check networks."""
        ...

    def expected_classes(self) -> int | None:
        """The number of classes as far as it is known before the data are read: 0 for none, None for unknown."""
        ...

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split.

        Raises:
            UserError: data that are missing, corrupt, or fewer than a batch.
        """
        ...
