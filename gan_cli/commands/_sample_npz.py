"""An .npz file as its pieces, of arrays that are never whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy


class _Pieces:
    """A file to write to, from which what was written is taken."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, piece: bytes) -> int:
        """Keep a piece."""
        self._written.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing: the file is written elsewhere."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        written, self._written = b"".join(self._written), []
        return written


def npz_pieces(samples: Iterable[np.ndarray], count: int, labels: np.ndarray | None) -> Iterator[bytes]:
    """Yield a compressed .npz file with the arrays `samples` and, where there are some, `labels`.

    Args:
        samples: parts (n, ...) of the samples.
        count: samples in all.
        labels: (count,).
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:
        arrays = {"samples": samples, **({} if labels is None else {"labels": [labels]})}
        for name, parts in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                for part in _npy(file, iter(parts), count):
                    file.write(np.ascontiguousarray(part).data.cast("B"))
                    yield pieces.take()
    yield pieces.take()


def _npy(file: BinaryIO, parts: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Write the header of an .npy file of so many rows, then yield the parts."""
    first = next(parts)
    shape = {"descr": npy.dtype_to_descr(first.dtype), "fortran_order": False, "shape": (count, *first.shape[1:])}
    npy.write_array_header_1_0(file, shape)
    yield from chain([first], parts)
