"""The roles of a dataset and of its stream of batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from gan_cli.data.unused import Unused

LabelKind = Literal["class", "binary", "numbers"]  # classes (N,); or vectors (N, F), of 0 and 1 or of any numbers


class Batch(NamedTuple):
    """A batch of samples.

    Attributes:
        x: images (N, C, H, W) float32 in [-1, 1], or points (N, D) float32.
        y: labels: classes (N,) int64 in [0, n_classes), vectors (N, F) float32, or None.
        c: latent codes (N, C) behind generated samples, or None.
        source: what a generator reads besides: an image (N, C', H', W') in [-1, 1], a vector (N, F), or None.
    """

    x: Tensor
    y: Tensor | None
    c: Tensor | None = None
    source: Tensor | None = None

    def head(self, n: int) -> Batch:
        """Return the first n samples, or all if there are fewer."""
        return Batch(*(t if t is None else t[:n] for t in self))


class Tags(NamedTuple):
    """The tags of a dataset's images, as numbers of words.

    Attributes:
        vocabulary: the words, the most frequent first.
        train: the words of each training image, at least one, in the order of the split.
        heldout: those of each held-out image.
    """

    vocabulary: tuple[str, ...]
    train: list[list[int]]
    heldout: list[list[int]]


class Source(Protocol):
    """An endless stream of batches; batch k is a pure function of (seed, k), so a resumed run needs only k."""

    size: int | None  # samples behind the stream; None: unlimited

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the random or slow part of batch k on the device: indices, prefetched images, or random numbers."""
        ...

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the batch of `draw`'s tensors: device work without host synchronisation, fit for a CUDA graph."""
        ...


@dataclass(frozen=True)
class RealData:
    """An opened dataset.

    Attributes:
        shape: of one sample: (C, H, W) or (D,).
        class_names: names of the classes, or None where labels are no classes, or there are none.
        train: samples that the critic learns from.
        heldout: the fixed split that the critic never learns from; its batches are smaller if it has few samples.
        fingerprint: identifies the content and the preparation; it is saved with the run.
        modes: centres (M, D) of the mixture's components and their standard deviation, if the data are a mixture.
        fixed: n samples of the training split in a fixed order, for pictures: `fixed(n) -> Batch`; they repeat
            from the start if there are fewer.
        source_shape: of what a generator reads beside z where the data bring it, (C', H', W') or (F,); None: they do
            not.
        tags: of the images, where the dataset has tags.
        label_size: numbers of a label that is a vector; 0: labels are classes, or there are none.
        notes: what reading the data changed that a user may not expect, a line each.
        class_sizes: samples of each class, those held out too; None where they are not counted.
        unused: what looks like a sample and is not used.
    """

    shape: tuple[int, ...]
    class_names: tuple[str, ...] | None
    train: Source
    heldout: Source
    fingerprint: str
    fixed: Callable[[int], Batch]
    modes: tuple[Tensor, float] | None = None
    source_shape: tuple[int, ...] | None = None
    tags: Tags | None = None
    label_size: int = 0
    notes: tuple[str, ...] = ()
    class_sizes: tuple[int, ...] | None = None
    unused: tuple[Unused, ...] = ()

    @property
    def n_classes(self) -> int:
        """The number of classes, or of a label vector's numbers; 0: there are no labels."""
        return self.label_size or len(self.class_names or ())


class Dataset(Protocol):
    """The dataset of a config: cheap to construct; nothing is read before `open`."""

    def expected_shape(self) -> tuple[int, ...]:
        """Return the shape of one sample, as known before the data are read; networks are built and checked with it."""
        ...

    def expected_classes(self) -> int | None:
        """Return `RealData.n_classes` as known before the data are read, None for unknown.

        Labels are classes, unless `expected_labels()`, which a dataset need not have, returns `binary` or `numbers`.
        """
        ...

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split the data.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        ...
