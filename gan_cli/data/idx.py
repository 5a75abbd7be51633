"""The idx format of MNIST's files."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from math import prod
from typing import Protocol

import numpy as np

from gan_cli.errors import UserError

_UINT8 = 0x08


class Readable(Protocol):
    """A file on the disk or a resource of the package."""

    def read_bytes(self) -> bytes:
        """Return the content."""
        ...


def read_idx(file: Readable, dimensions: int, sha256: str | None = None) -> np.ndarray:
    """Return the uint8 array that an idx file holds, gzip-compressed or not.

    Args:
        file: the file to read.
        dimensions: number of dimensions that the array must have: 3 for images, 1 for labels.
        sha256: SHA-256 of the stored file; None: not checked.

    Raises:
        UserError: the file is unreadable, altered, truncated or in another format; the error names it.
    """
    try:
        data = file.read_bytes()
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise UserError(f"{file} is damaged: its SHA-256 is {found}, not {sha256}; install the package again")
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} cannot be read ({error}); download it again") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, _UINT8, dimensions)):
        raise UserError(f"{file} is not an idx file of bytes in {dimensions} dimension(s); download it again")
    shape = tuple(np.frombuffer(data, ">u4", dimensions, offset=4).tolist())
    if len(data) != header + prod(shape):
        raise UserError(f"{file} is truncated: {len(data) - header} bytes, but its shape {shape} needs {prod(shape)}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
