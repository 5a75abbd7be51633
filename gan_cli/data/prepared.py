"""Prepared images, in memory or in a file that a kill or a full disk cannot corrupt."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.core import untrusted
from gan_cli.core.files import replace_file, sync_directory
from gan_cli.core.text import say
from gan_cli.data.collection import Collection, images_a_chunk
from gan_cli.data.digest import Digest, digest
from gan_cli.data.places import user_directory
from gan_cli.data.rows import Rows
from gan_cli.errors import UserError

_VERSION = 1  # of the preparation: a change makes old files unused
_IMAGES, _POSITIONS, _ABOUT = "images.uint8", "positions.int64", "about.json"
_BYTES_A_NAME = 2**13  # of a picture that cannot be read, and the reason, at most
_GB = 1e9


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
    fit = () if collection.fit == "crop" else (collection.fit,)  # before there were others, it had no name
    target = root / digest(_VERSION, collection.key(), collection.shape, positions, *fit)
    if (found := _load(target, collection.shape, positions)) is None:
        with _locked(target):
            if (found := _load(target, collection.shape, positions)) is None:
                if target.exists():
                    again = "damaged, or of an earlier version: its pictures are prepared again"
                    say(f"gan: warning: {target} is {again}", sys.stderr)
                _build(target, collection, positions)
                found = _load(target, collection.shape, positions)
    if found is None:
        raise UserError(f"{target} cannot be read after writing: check the disk, or set XDG_CACHE_HOME=DIRECTORY")
    _warn_of_others(user_directory(), root, target, target / _IMAGES)
    return found


def _load(directory: Path, shape: tuple[int, int, int], wanted: np.ndarray) -> Prepared | None:
    """Return the stored images, or None if they are absent or not what was stored.

    What is stored is hashed. The pixels are compared with their hash where the file was changed in any way since they
    last were, which takes about a second a gigabyte, and not at every start.

    Args:
        directory: of the images.
        shape: (C, S, S) of an image.
        wanted: (n,) positions of the images that were asked for.
    """
    try:
        about = _checked(untrusted.read(directory / _ABOUT, 2**20 + len(wanted) * _BYTES_A_NAME))
        positions = np.frombuffer(untrusted.read(directory / _POSITIONS, wanted.nbytes), np.int64)
        full = (len(positions), *shape)
        with open(directory / _IMAGES, "rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            kept = digest(positions) == about["positions"] and bool(np.isin(positions, wanted).all())
            if not kept or stamp["size"] != np.prod(full, dtype=np.int64):
                return None
            images = np.memmap(file, np.uint8, mode="r", shape=full)
        if about["stamp"] != stamp:
            if _digest_of(images) != about["digest"]:
                return None
            with suppress(OSError):  # a cache that this user may only read is compared each time
                replace_file(directory / _ABOUT, [_encoded({**about, "stamp": stamp})])
        return Prepared(images, positions, about["digest"], [(name, reason) for name, reason in about["bad"]])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EFBIG, errno.EINVAL):
            return None
        raise UserError(f"the prepared images in {directory} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        return None


def _encoded(about: dict[str, Any]) -> bytes:
    text = json.dumps(about)
    return json.dumps({"about": text, "digest": digest(text)}).encode()


def _checked(content: bytes) -> dict[str, Any]:
    """Return what `_encoded` encoded.

    Raises:
        ValueError: it is something else.
        TypeError: likewise.
        KeyError: likewise.
    """
    found = untrusted.parse_json(content)
    if digest(found["about"]) != found["digest"]:
        raise ValueError("not what was written")
    return untrusted.parse_json(found["about"].encode())


def _stamp(about: os.stat_result) -> dict[str, int]:
    """Return what changes with any write to a file; nobody can set the last of them."""
    return {"inode": about.st_ino, "size": about.st_size, "modified": about.st_mtime_ns, "changed": about.st_ctime_ns}


def _digest_of(images: np.ndarray) -> str:
    running, count = Digest(), images_a_chunk(images.shape[1:])
    for start in range(0, len(images), count):
        running.update(images[start : start + count])
    return running.text()


def _warn_of_others(*paths: Path) -> None:
    """Warn of what somebody else can write: whoever does so chooses what is trained on."""
    user = os.geteuid()
    for path in paths:
        about = path.stat()
        by_group = about.st_mode & stat.S_IWGRP and about.st_gid != user  # a group of the user's own has his number
        if by_group or about.st_mode & stat.S_IWOTH or about.st_uid not in (0, user):
            say(
                f"gan: warning: others can write {path}, and so change the prepared images: chmod go-w, or set "
                "XDG_CACHE_HOME=DIRECTORY",
                sys.stderr,
            )
            return


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
    about = {"digest": running.text(), "positions": digest(left), "bad": bad}
    with _written(root, size):
        replace_file(directory / _POSITIONS, [left.tobytes()])
        about["stamp"] = _stamp((directory / _IMAGES).stat())
        replace_file(directory / _ABOUT, [_encoded(about)])


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
            say(f"waiting for the process that prepares the same images in {target.parent}", sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
