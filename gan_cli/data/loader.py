"""Batches of samples, resident on the training device or memory-mapped and prefetched; both give the same bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.prefetch import Prefetcher
from gan_cli.data.rows import Rows, chunks
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.rng import generator

BATCHES_AHEAD = 4


class Order:
    """The images of batch k: each epoch is a permutation that depends only on (seed, stream, epoch).

    Permutations are drawn on the CPU, so the order is the same on every device. Images that do not fill the last batch
    of an epoch are left out of that epoch.

    Args:
        n: number of images, at least batch_size.
        batch_size: number of images in a batch.
        seed: the run's seed.
        stream: name of the use; two streams are independent.
        device: device of the indices.
    """

    def __init__(self, n: int, batch_size: int, seed: int, stream: str, device: torch.device) -> None:
        self.n, self.batch_size = n, batch_size
        self.batches_per_epoch = n // batch_size
        self._seed, self._stream, self._device = seed, stream, device
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def indices(self, k: int) -> Tensor:
        """Return batch k's (batch_size,) int64 indices in [0, n)."""
        epoch, batch = divmod(k, self.batches_per_epoch)
        if epoch != self._epoch:
            rng = generator("cpu", self._seed, "order", self._stream, epoch)
            self._permutation = torch.randperm(self.n, generator=rng).to(self._device)
            self._epoch = epoch
        return self._permutation[batch * self.batch_size : (batch + 1) * self.batch_size]


class Resident:
    """Samples on the training device; a batch is an index gather.

    Args:
        images: (N, C, H, W) uint8, uint16 or float32, or points (N, D) float32; an array, or `Rows`.
        rows: (n,) the rows of `images` that this source uses.
        labels: classes (n,) int64 or vectors (n, F) float32 of these rows, or None.
        order: order of the batches, on `device`.
        device: where training happens.

    Raises:
        UserError: the images do not fit.
    """

    def __init__(
        self,
        images: np.ndarray | Rows,
        rows: np.ndarray,
        labels: np.ndarray | None,
        order: Order,
        device: torch.device,
    ) -> None:
        self.size: int | None = len(rows)
        self._order, self._device = order, device
        self._labels = None if labels is None else torch.from_numpy(labels).to(device)
        shape = (len(rows), *images.shape[1:])
        try:
            self._images = torch.empty(shape, dtype=_dtype(images), device=device)
        except (RuntimeError, MemoryError) as error:
            size = images.itemsize * int(np.prod(shape)) / 1e9
            raise UserError(
                f"dataset.resident=true: {size:.2f} GB of images do not fit into the memory of {device}; use "
                "dataset.resident=auto (or false), which reads them from the disk"
            ) from error
        for part in chunks(images, len(rows)):
            self._images[part].copy_(as_tensor(images[rows[part]]))

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the indices of batch k."""
        return (self._order.indices(k),)

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the images and labels of drawn indices."""
        (index,) = drawn
        # index_select copies whole images; indexing with a tensor goes byte by byte, 13 times slower on a CPU
        labels = None if self._labels is None else self._labels.index_select(0, index)
        return Batch(as_float(self._images.index_select(0, index)), labels)

    def at(self, index: Tensor) -> Batch:
        """Return the images and labels of any (n,) indices on the CPU."""
        return self.batch(index.to(self._device))


class Mapped:
    """Samples in a file that is larger than memory; a thread reads the next batches ahead of their use.

    Args:
        images: as for `Resident`, memory-mapped.
        rows: (n,) the rows of `images` that this source uses.
        labels: classes (n,) int64 or vectors (n, F) float32 of these rows, or None.
        order: order of the batches, on the CPU.
        device: where training happens.
        ahead: number of batches that are read ahead; 0: each is read when it is drawn.
    """

    def __init__(
        self,
        images: np.ndarray | Rows,
        rows: np.ndarray,
        labels: np.ndarray | None,
        order: Order,
        device: torch.device,
        ahead: int = BATCHES_AHEAD,
    ) -> None:
        self.size: int | None = len(rows)
        self._device = device
        self._read = _Reader(images, rows, labels, order, pinned=device.type == "cuda")
        self._next = Prefetcher(self._read, ahead) if ahead else self._read

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the samples of batch k as they are stored, and its labels if there are any, on the device."""
        return self._moved(self._next(k))

    def batch(self, *drawn: Tensor) -> Batch:
        """Convert drawn samples."""
        return Batch(as_float(drawn[0]), drawn[1] if len(drawn) > 1 else None)

    def at(self, index: Tensor) -> Batch:
        """Return the images and labels of any (n,) indices on the CPU."""
        return self.batch(*self._moved(self._read.at(index)))

    def _moved(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.to(self._device, non_blocking=True) for t in tensors)


class _Reader:
    def __init__(
        self, images: np.ndarray | Rows, rows: np.ndarray, labels: np.ndarray | None, order: Order, pinned: bool
    ) -> None:
        self._images, self._rows, self._order, self._pinned = images, rows, order, pinned
        self._labels = None if labels is None else torch.from_numpy(labels)

    def __call__(self, k: int) -> tuple[Tensor, ...]:
        return self.at(self._order.indices(k))

    def at(self, index: Tensor) -> tuple[Tensor, ...]:
        shape = (len(index), *self._images.shape[1:])
        x = torch.empty(shape, dtype=_dtype(self._images), pin_memory=self._pinned)
        rows = self._rows[index.numpy()]
        if isinstance(self._images, Rows):
            x.copy_(as_tensor(self._images[rows]))
        else:  # take releases the interpreter's lock while it waits for the disk; clip writes to `out` directly
            np.take(self._images, rows, axis=0, out=x.numpy().view(self._images.dtype), mode="clip")
        if self._labels is None:
            return (x,)
        y = self._labels[index]
        return (x, y.pin_memory() if self._pinned else y)


def to_bytes(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as uint8, rounded and clamped."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """Return uint8 images as float32 in [-1, 1], x / 127.5 - 1."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def as_float(stored: Tensor) -> Tensor:
    """Return stored samples as float32: uint8 images as `to_float` has them, uint16 ones likewise, others unchanged."""
    if stored.dtype == torch.int16:  # the bits of uint16, for which torch has few operations
        return (stored.to(torch.int32) & 0xFFFF).to(torch.float32).div_(32767.5).sub_(1.0)
    return to_float(stored) if stored.dtype == torch.uint8 else stored


def _dtype(images: np.ndarray | Rows) -> torch.dtype:
    return {1: torch.uint8, 2: torch.int16}.get(images.dtype.itemsize, torch.float32)


def as_tensor(images: np.ndarray) -> Tensor:
    """Return stored samples as a tensor; uint16 as the int16 of the same bits."""
    return torch.from_numpy(images.view(np.int16) if images.dtype == np.uint16 else images)
