"""The role of a collection: the images of a dataset before the selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.nn.functional import interpolate

from gan_cli.core.shapes import Sides
from gan_cli.data.digest import digest
from gan_cli.data.fitting import Fit, cropped, note, padded
from gan_cli.data.unused import Unused

CHUNK_BYTES = 32 * 2**20  # of prepared images handled at a time, whatever the size of the set


class Chunk(NamedTuple):
    """A group of prepared images.

    Attributes:
        images: (n, C, H, W) uint8.
        positions: (n,) positions of these images in their collection, ascending.
        bad: name and reason of each image among them that cannot be read.
    """

    images: np.ndarray
    positions: np.ndarray
    bad: list[tuple[str, str]]


class Pictures(NamedTuple):
    """The files of a collection.

    Attributes:
        place: the directory or the archive.
        identity: what tells the picture at a position, and its preparation, from others and from what it was.
    """

    place: str
    identity: Callable[[int], str]


class Collection(Protocol):
    """Images that can be prepared: with one size and number of channels, as uint8.

    Attributes:
        shape: (C, H, W) of a prepared image.
        fit: how they get their height and width.
        labels: (N,) int64 or None.
        class_names: of the labels, or None.
        costly: the preparation takes so long that its result is kept on the disk.
        unused: what looks like an image and is none of them.
        pictures: of each, to see whether it has changed; None: that is known of all of them together alone.
    """

    shape: tuple[int, int, int]
    fit: Fit
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    costly: bool
    unused: Sequence[Unused]
    pictures: Pictures | None

    def __len__(self) -> int:
        """Return the number of images N."""
        ...

    def key(self) -> str:
        """Return a key of the content and the preparation; equal keys mean equal prepared images."""
        ...

    def notes(self) -> list[str]:
        """Return what the preparation changes that a user may not expect, a line each."""
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
        sides: height and width of a prepared image.
        fit: how they get them; what is padded is black.
    """

    unused = ()
    costly = False  # 60,000 images of 28 x 28 are resized in half a second: not worth a file
    pictures = None

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        class_names: tuple[str, ...] | None,
        sides: Sides,
        fit: Fit = "crop",
    ) -> None:
        self.images = images
        self.labels = None if labels is None else labels.astype(np.int64)
        self.class_names = class_names
        self.shape = (images.shape[1], *sides)
        self.fit = fit

    def __len__(self) -> int:
        return len(self.images)

    def key(self) -> str:
        """Return a hash of the images and of their prepared size."""
        return digest("array", self.images.shape, self.shape, self.images)

    def notes(self) -> list[str]:
        """Return what the fit changes."""
        found = note([self.images.shape[2:]], self.shape[1:], self.fit)
        return [] if found is None else [found]

    def chunks(self, positions: np.ndarray) -> Iterator[Chunk]:
        """Resize images, in order."""
        count = images_a_chunk(self.shape)
        for start in range(0, len(positions), count):
            chosen = positions[start : start + count]
            yield Chunk(resize(self.images[chosen], self.shape[1:], self.fit), chosen, [])


def images_a_chunk(shape: tuple[int, int, int]) -> int:
    """Return how many images of a shape are prepared at a time."""
    return max(1, min(2048, CHUNK_BYTES // int(np.prod(shape))))


def resize(images: np.ndarray, wanted: Sides, fit: Fit = "crop") -> np.ndarray:
    """Return images (N, C, H, W) uint8 with other sides: bilinear and antialiased, rounded.

    Args:
        images: (N, C, H, W) uint8.
        wanted: height and width.
        fit: `crop`: the largest central part of the shape; `pad`: the whole images, on black; `stretch`: the whole
            images, their sides by themselves.
    """
    size = images.shape[2:]
    if fit == "crop":
        height, width = map(round, cropped(size, wanted))
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        images = images[:, :, top : top + height, left : left + width]
    inner = padded(size, wanted) if fit == "pad" else wanted
    if images.shape[2:] != inner:
        x = torch.from_numpy(images.astype(np.float32))
        x = interpolate(x, size=inner, mode="bilinear", antialias=True, align_corners=False)
        images = x.round_().clamp_(0, 255).to(torch.uint8).numpy()
    if inner == wanted:
        return images
    top, left = (wanted[0] - inner[0]) // 2, (wanted[1] - inner[1]) // 2
    canvas = np.zeros((*images.shape[:2], *wanted), dtype=np.uint8)
    canvas[:, :, top : top + inner[0], left : left + inner[1]] = images
    return canvas
