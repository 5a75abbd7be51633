"""The files of prepared images: their pixels, positions and pictures, and what is known of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.core import untrusted
from gan_cli.core.files import replace_file
from gan_cli.data.caches import ABOUT, IMAGES, POSITIONS, PRINTS
from gan_cli.data.collection import Chunk, Collection, images_a_chunk
from gan_cli.data.digest import Digest, digest
from gan_cli.data.rows import Rows
from gan_cli.errors import UserError

_PRINT = 16  # bytes of a picture's hash
_BYTES_A_NAME = 2**13  # of a picture that cannot be read, and the reason, at most


@dataclass(frozen=True)
class Prepared:
    """Images that are ready for training.

    Attributes:
        images: (n, C, H, W) uint8, an array or a memory-mapped file; of a dataset of arrays, as `loader.Resident`.
        positions: (n,) positions of these images in their collection, ascending.
        digest: identifies the pixels.
        bad: name and reason of each requested image that cannot be read.
    """

    images: np.ndarray | Rows
    positions: np.ndarray
    digest: str
    bad: list[tuple[str, str]]

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows in `images` of these positions, which must all be present."""
        return np.searchsorted(self.positions, positions)


def load(directory: Path, shape: tuple[int, int, int], wanted: np.ndarray) -> Prepared | None:
    """Return the stored images, or None if they are absent or not what was stored.

    What is stored is hashed. The pixels are compared with their hash where the file was changed in any way since they
    last were, which takes about a second a gigabyte, and not at every start.

    Args:
        directory: of the images.
        shape: (C, S, S) of an image.
        wanted: (n,) positions of the images that were asked for.
    """
    try:
        about = read_about(directory, len(wanted))
        positions = np.frombuffer(untrusted.read(directory / POSITIONS, wanted.nbytes), np.int64)
        full = (len(positions), *shape)
        with open(directory / IMAGES, "rb") as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            kept = digest(positions) == about["positions"] and bool(np.isin(positions, wanted).all())
            if not kept or stamp["size"] != np.prod(full, dtype=np.int64):
                return None
            images = np.memmap(file, np.uint8, mode="r", shape=full)
        if about["stamp"] != stamp:
            if _digest_of(images) != about["digest"]:
                return None
            with suppress(OSError):  # a cache that this user may only read is compared each time
                replace_file(directory / ABOUT, [encoded({**about, "stamp": stamp})])
        return Prepared(images, positions, about["digest"], [(name, reason) for name, reason in about["bad"]])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EFBIG, errno.EINVAL):
            return None
        raise UserError(f"the prepared images in {directory} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        return None


def earlier(root: Path, collection: Collection, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the images of an earlier cache that are those of pictures of a collection; None where there are none.

    Args:
        root: the directory of all caches.
        collection: whose pictures are wanted.
        positions: (n,) that are wanted.

    Returns:
        the images of the cache that has the most, and the row there of each position (n,), -1 where it has none.
    """
    if collection.pictures is None:
        return None
    found, wanted = None, None
    for directory in sorted(root.glob("[!.]*")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            of_all = np.fromfile(directory / POSITIONS, np.int64)
            about = read_about(directory, len(of_all))
            if about["place"] != collection.pictures.place:
                continue
            prints = np.frombuffer(untrusted.read(directory / PRINTS, len(of_all) * _PRINT), f"S{_PRINT}")
            if digest(prints) != about["prints"]:
                continue
            wanted = prints_of(collection, positions) if wanted is None else wanted
            order = prints.argsort()
            rows = order[np.searchsorted(prints, wanted, sorter=order).clip(max=len(prints) - 1)]
            rows = np.where(prints[rows] == wanted, rows, -1)
            most = (found[1] >= 0).sum() if found else 0
            if (rows >= 0).sum() > most and (stored := load(directory, collection.shape, of_all)) is not None:
                found = stored.images, rows
    return found


def prints_of(collection: Collection, positions: np.ndarray) -> np.ndarray:
    """Return a hash of what tells each picture from others, (n,) of 16 bytes."""
    texts = (collection.pictures.identity(int(position)).encode("utf-8", "surrogateescape") for position in positions)
    return np.frombuffer(b"".join(hashlib.blake2b(t, digest_size=_PRINT).digest() for t in texts), f"S{_PRINT}")


def chunks(
    collection: Collection, positions: np.ndarray, known: tuple[np.ndarray, np.ndarray] | None
) -> Iterator[Chunk]:
    """Yield prepared images as `Collection.chunks` does, those that are known without reading their pictures again.

    Args:
        collection: of the images.
        positions: (n,), ascending.
        known: of `earlier`.
    """
    if known is None:
        yield from collection.chunks(positions)
        return
    images, rows = known
    fresh = collection.chunks(positions[rows < 0])
    count = images_a_chunk(collection.shape)
    ahead = Chunk(np.empty((0, *collection.shape), np.uint8), np.empty(0, np.int64), [])
    for start in range(0, len(positions), count):
        part, old = positions[start : start + count], rows[start : start + count]
        bad: list[tuple[str, str]] = []
        while not len(ahead.positions) or ahead.positions[-1] < part[-1]:
            if (more := next(fresh, None)) is None:
                break
            bad += more.bad
            ahead = Chunk(*(np.concatenate(pair) for pair in zip(ahead[:2], more[:2], strict=True)), [])
        n = int(np.searchsorted(ahead.positions, part[-1], side="right"))
        both = np.concatenate([part[old >= 0], ahead.positions[:n]])
        order = both.argsort()
        yield Chunk(np.concatenate([images[old[old >= 0]], ahead.images[:n]])[order], both[order], bad)
        ahead = Chunk(ahead.images[n:], ahead.positions[n:], [])


def encoded(about: dict[str, Any]) -> bytes:
    """Return what is known of images, and its hash."""
    text = json.dumps(about)
    return json.dumps({"about": text, "digest": digest(text)}).encode()


def read_about(directory: Path, most: int) -> dict[str, Any]:
    """Return what is known of the images in a directory, at most so many.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
        TypeError: likewise.
        KeyError: likewise.
    """
    found = untrusted.parse_json(untrusted.read(directory / ABOUT, 2**20 + most * _BYTES_A_NAME))
    if digest(found["about"]) != found["digest"]:
        raise ValueError("not what was written")
    return untrusted.parse_json(found["about"].encode())


def stamp_of(about: os.stat_result) -> dict[str, int]:
    """Return what changes with any write to a file; nobody can set the last of them."""
    return {"inode": about.st_ino, "size": about.st_size, "modified": about.st_mtime_ns, "changed": about.st_ctime_ns}


def _digest_of(images: np.ndarray) -> str:
    running, count = Digest(), images_a_chunk(images.shape[1:])
    for start in range(0, len(images), count):
        running.update(images[start : start + count])
    return running.text()
