"""Prepared images, in memory or in a file that a kill or a full disk cannot corrupt."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gan_cli.core.files import replace_file, sync_directory
from gan_cli.core.text import say
from gan_cli.data.caches import ABOUT, IMAGES, POSITIONS, PREPARED, PRINTS
from gan_cli.data.collection import Collection
from gan_cli.data.digest import Digest, digest
from gan_cli.data.places import user_directory
from gan_cli.data.prepared_files import (
    Prepared,
    chunks,
    earlier,
    encoded,
    load,
    prints_of,
    stamp_of,
)
from gan_cli.errors import UserError

_VERSION = 1  # of the preparation: a change makes old files unused
_GB = 1e9


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
    time, and renamed when it is whole; at no time are more than a few chunks in memory. Pictures that an earlier file
    of the same folder has, and that have not changed since, are copied from there.

    Raises:
        UserError: there is no space, or no permission to write.
    """
    root = user_directory() / PREPARED
    fit = () if collection.fit == "crop" else (collection.fit,)  # before there were others, it had no name
    target = root / digest(_VERSION, collection.key(), collection.shape, positions, *fit)
    if (found := load(target, collection.shape, positions)) is None:
        with _locked(target):
            if (found := load(target, collection.shape, positions)) is None:
                if target.exists():
                    again = "damaged, or of an earlier version: its pictures are prepared again"
                    say(f"gan: warning: {target} is {again}", sys.stderr)
                _build(target, collection, positions)
                found = load(target, collection.shape, positions)
    if found is None:
        raise UserError(f"{target} cannot be read after writing: check the disk, or set XDG_CACHE_HOME=DIRECTORY")
    _warn_of_others(user_directory(), root, target, target / IMAGES)
    return found


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
        file = open(directory / IMAGES, "wb", buffering=0)  # noqa: SIM115
    with file:
        for chunk in chunks(collection, positions, earlier(root, collection, positions)):
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
    about = {"digest": running.text(), "positions": digest(left), "bad": bad, "shape": collection.shape}
    prints = None if collection.pictures is None else prints_of(collection, left)
    if prints is not None:
        about |= {"place": collection.pictures.place, "prints": digest(prints)}
    with _written(root, size):
        replace_file(directory / POSITIONS, [left.tobytes()])
        if prints is not None:
            replace_file(directory / PRINTS, [prints.tobytes()])
        about["stamp"] = stamp_of((directory / IMAGES).stat())
        replace_file(directory / ABOUT, [encoded(about)])


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
