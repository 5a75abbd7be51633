"""Prepared images, in memory or in a file that a kill or a full disk cannot corrupt."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.core.files import replace_file, sync_directory
from gan_cli.data.collection import Collection
from gan_cli.data.digest import Digest, digest
from gan_cli.data.places import user_directory
from gan_cli.errors import UserError

_VERSION = 1  # of the preparation: a change makes old files unused
_IMAGES, _POSITIONS, _ABOUT = "images.uint8", "positions.npy", "about.json"
_GB = 1e9


@dataclass(frozen=True)
class Prepared:
    """Images that are ready for training.

    Attributes:
        images: (n, C, S, S) uint8, an array or a memory-mapped file; of a dataset of arrays as `loader.Resident`.
        positions: (n,) positions of these images in their collection, ascending.
        digest: identifies the pixels.
        bad: name and reason of each requested image that cannot be read.
    """

    images: np.ndarray
    positions: np.ndarray
    digest: str
    bad: list[tuple[str, str]]

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows in `images` of these positions, which must all be present."""
        return np.searchsorted(self.positions, positions)


def in_memory(collection: Collection, positions: np.ndarray) -> Prepared:
    """Prepare the images of a collection at these ascending positions, in memory."""
    images = np.empty((len(positions), *collection.shape), dtype=np.uint8)
    kept, bad, filled, running = [], [], 0, Digest()
    for chunk in collection.chunks(positions):
        images[filled : filled + len(chunk.images)] = chunk.images
        running.update(chunk.images)
        filled += len(chunk.images)
        kept.append(chunk.positions)
        bad += chunk.bad
    return Prepared(images[:filled], np.concatenate(kept), running.text(), bad)


def on_disk(collection: Collection, positions: np.ndarray) -> Prepared:
    """Return the images as a memory-mapped file in the user's directory, which is made if it is missing.

    The file name has the collection's key and the positions. It is built under another name, by one process at a
    time, and renamed when it is whole; at no time are more than a few chunks in memory.

    Raises:
        UserError: there is no space, or no permission to write.
    """
    root = user_directory() / "prepared"
    target = root / digest(_VERSION, collection.key(), collection.shape, positions)
    if (found := _load(target, collection.shape)) is not None:
        return found
    with _locked(target):
        if (found := _load(target, collection.shape)) is None:
            _build(target, collection, positions)
            found = _load(target, collection.shape)
    if found is None:
        raise UserError(f"{target} cannot be read after writing: check the disk, or set XDG_CACHE_HOME=DIRECTORY")
    return found


def _load(directory: Path, shape: tuple[int, int, int]) -> Prepared | None:
    """Return the stored images, or None if they are absent or damaged."""
    try:
        about = json.loads((directory / _ABOUT).read_text())
        positions = np.load(directory / _POSITIONS, allow_pickle=False)
        full = (len(positions), *shape)
        if (directory / _IMAGES).stat().st_size != np.prod(full, dtype=np.int64):
            return None
        images = np.memmap(directory / _IMAGES, np.uint8, mode="r", shape=full)
        return Prepared(images, positions, about["digest"], [(name, reason) for name, reason in about["bad"]])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(target: Path, collection: Collection, positions: np.ndarray) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    size = len(positions) * int(np.prod(collection.shape))
    with _written(target.parent, size):
        for stale in (temporary, target):  # a killed writer's part, a damaged file
            shutil.rmtree(stale, ignore_errors=True)
        if shutil.disk_usage(target.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        temporary.mkdir()
    try:
        _write(temporary, collection, positions, size)
        with _written(target.parent, size):
            sync_directory(temporary)
            os.replace(temporary, target)
            sync_directory(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(directory: Path, collection: Collection, positions: np.ndarray, size: int) -> None:
    kept, bad, running = [], [], Digest()
    root = directory.parent
    with _written(root, size):
        file = open(directory / _IMAGES, "wb", buffering=0)  # noqa: SIM115
    with file:
        for chunk in collection.chunks(positions):
            with _written(root, size):
                _write_all(file, chunk.images)
            running.update(chunk.images)
            kept.append(chunk.positions)
            bad += chunk.bad
        with _written(root, size):
            os.fsync(file.fileno())
    left = np.concatenate(kept)
    if not len(left):
        raise UserError(f"none of {len(positions):,} picture(s) can be read; the first is {bad[0][0]}: {bad[0][1]}")
    content = io.BytesIO()
    np.save(content, left, allow_pickle=False)
    with _written(root, size):
        replace_file(directory / _POSITIONS, [content.getvalue()])
        replace_file(directory / _ABOUT, [json.dumps({"digest": running.text(), "bad": bad}).encode()])


def _write_all(file: io.RawIOBase, images: np.ndarray) -> None:
    rest = memoryview(np.ascontiguousarray(images).reshape(-1))
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def _written(root: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the prepared images ({size / _GB:.2f} GB) cannot be stored in {root}: {error.strerror or error}; "
            f"free disk space, or choose another place with the environment variable XDG_CACHE_HOME=DIRECTORY"
        ) from error


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let only one process at a time build a file; the others wait and then use it."""
    import fcntl  # POSIX alone has it, and the sets that live in memory do without this file

    with _written(target.parent, 0):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = open(target.with_name(f".{target.name}.lock"), "wb")  # noqa: SIM115
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for the process that prepares the same images in {target.parent}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
