"""Writes files so that they are complete or absent, whatever happens to the process or the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_BUFFER = 2**20  # bytes
_LOCK = ".lock"


def hold(directory: Path) -> IO[str]:
    """Hold a directory for this process alone, until the file that is returned is closed.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it cannot be written.
    """
    lock = open(directory / _LOCK, "a")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        lock.close()
        raise
    return lock


def is_held(directory: Path) -> bool:
    """Return whether a process holds a directory now; nothing is written to find that out."""
    lock = directory / _LOCK
    try:
        if lock.is_file():  # a pipe is not waited for
            with open(lock) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class AppendFile:
    """A file that grows by whole pieces and reaches the kernel with each: a killed process loses nothing it appended.

    Args:
        path: created where it does not exist.
        new: refuse a file that exists.

    Raises:
        FileExistsError: `new` and the file exists.
    """

    def __init__(self, path: Path, new: bool = False) -> None:
        if new:
            open(path, "xb").close()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115

    def write(self, piece: bytes) -> None:
        """Append a piece, or nothing: after an error the file is as it was, and the call may be tried again.

        Raises:
            OSError: a full disk, for one.
        """
        size = os.fstat(self._file.fileno()).st_size
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException:
            self._file.truncate(size)
            raise

    def sync(self) -> None:
        """Return once everything appended is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> dict[str, int | str]:
    """Write a new file, piece after piece, and return once it is on the disk.

    Returns:
        its size in `bytes`, and its `sha256` in hexadecimal.

    Raises:
        OSError: for example, the file exists or the disk is full.
    """
    digest, size = hashlib.sha256(), 0
    with open(path, "xb", buffering=_BUFFER) as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file so that at any instant the path holds the old content or all of the new.

    Raises:
        OSError: the disk is full or read-only; the old content is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
