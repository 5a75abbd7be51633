"""Writes files so that they are complete or absent, whatever happens to the process or the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

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
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
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
        exclusive = os.O_EXCL if new else 0
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | exclusive, 0o666)

    def write(self, piece: bytes) -> None:
        """Append a piece, or nothing: after an error the file is as it was, and the call may be tried again.

        Raises:
            OSError: a full disk, for one.
        """
        descriptor = self._open()
        size = os.fstat(descriptor).st_size
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except BaseException:
            os.ftruncate(descriptor, size)
            raise

    def sync(self) -> None:
        """Return once everything appended is on the disk."""
        os.fsync(self._open())

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path} is closed")
        return self._descriptor


class Written(NamedTuple):
    """What a file holds.

    Attributes:
        bytes: its size.
        sha256: in hexadecimal.
    """

    bytes: int
    sha256: str


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> Written:
    """Write a new file, piece after piece, and return once it is on the disk.

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
    return Written(size, digest.hexdigest())


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
