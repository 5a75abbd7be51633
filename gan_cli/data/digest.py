"""The hash that identifies a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_BYTES = 20


def digest(*parts: object) -> str:
    """Return a hash of arrays (by their bytes) and of other values (by their repr), in order."""
    running = Digest()
    for part in parts:
        if isinstance(part, np.ndarray):
            running.update(part)
        else:
            running.texts([repr(part)])
    return running.text()


class Digest:
    """A hash to which data are added piece by piece."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_BYTES)

    def update(self, array: np.ndarray) -> None:
        """Add an array's bytes."""
        self._hash.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))

    def texts(self, texts: Iterable[str]) -> None:
        """Add texts; file names that are not valid Unicode are added as their bytes."""
        for text in texts:
            self._hash.update(text.encode("utf-8", "surrogateescape") + b"\0")

    def text(self) -> str:
        """Return the hash so far, in hexadecimal."""
        return self._hash.hexdigest()
