"""The role of a collection: the images of a dataset before the selection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.nn.functional import interpolate

from gan_cli.data.digest import digest

CHUNK_BYTES = 32 * 2**20  # of prepared images handled at a time, whatever the size of the set


class Chunk(NamedTuple):
    """A group of prepared images.

    Attributes:
        images: (n, C, S, S) uint8.
        positions: (n,) positions of these images in their collection, ascending.
        bad: name and reason of each image among them that cannot be read.
    """

    images: np.ndarray
    positions: np.ndarray
    bad: list[tuple[str, str]]


class Collection(Protocol):
    """Images that can be prepared: made square, with one size and number of channels, as uint8.

    Attributes:
        shape: (C, S, S) of a prepared image.
        labels: (N,) int64 or None.
        class_names: of the labels, or None.
        costly: the preparation takes so long that its result is kept on the disk.
    """

    shape: tuple[int, int, int]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    costly: bool

    def __len__(self) -> int:
        """Return the number of images N."""
        ...

    def key(self) -> str:
        """Return a key of the content and the preparation; equal keys mean equal prepared images."""
        ...

    def chunks(self, positions: np.ndarray) -> Iterator[Chunk]:
        """Prepare images in order, a limited number at a time.

        Args:
            positions: (n,) int64, ascending.

        Raises:
            UserError: an image cannot be read and is not skipped; the error names it.
        """
        ...


class ArrayCollection:
    """Images that are already in memory.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,) integers, or None.
        class_names: of the labels, or None.
        image_size: S.
    """

    costly = False  # 60,000 images of 28 x 28 are resized in half a second: not worth a file

    def __init__(
        self, images: np.ndarray, labels: np.ndarray | None, class_names: tuple[str, ...] | None, image_size: int
    ) -> None:
        self.images = images
        self.labels = None if labels is None else labels.astype(np.int64)
        self.class_names = class_names
        self.shape = (images.shape[1], image_size, image_size)

    def __len__(self) -> int:
        return len(self.images)

    def key(self) -> str:
        """Return a hash of the images and of their prepared size."""
        return digest("array", self.images.shape, self.shape, self.images)

    def chunks(self, positions: np.ndarray) -> Iterator[Chunk]:
        """Resize images, in order."""
        size = self.shape[-1]
        count = images_a_chunk(self.shape)
        for start in range(0, len(positions), count):
            chosen = positions[start : start + count]
            yield Chunk(resize(self.images[chosen], size), chosen, [])


def images_a_chunk(shape: tuple[int, int, int]) -> int:
    """Return how many images of a shape are prepared at a time."""
    return max(1, min(2048, CHUNK_BYTES // int(np.prod(shape))))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Return (N, C, size, size) uint8 from (N, C, H, W): the central square, bilinear and antialiased, rounded."""
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    images = images[:, :, top : top + side, left : left + side]
    if side == size:
        return images
    x = torch.from_numpy(images.astype(np.float32))
    x = interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return x.round_().clamp_(0, 255).to(torch.uint8).numpy()
