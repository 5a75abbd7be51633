"""Writes files so that they are complete or absent, whatever happens to the process or the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_BUFFER, _CHUNK = 2**20, 2**16  # bytes

Content = dict[str, int | str]  # of a file: its size in `bytes`, and its `sha256` in hexadecimal


class Tally:
    """The size and hash of bytes that come piece by piece.

    Attributes:
        size: of the bytes so far.
    """

    def __init__(self, pieces: Iterable[bytes | memoryview] = ()) -> None:
        self.size, self._hash = 0, hashlib.sha256()
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes | memoryview) -> None:
        """Count a piece."""
        self.size += len(piece)
        self._hash.update(piece)

    @property
    def content(self) -> Content:
        """What a file of these bytes holds."""
        return {"bytes": self.size, "sha256": self._hash.hexdigest()}


class AppendFile:
    """A file that grows by whole pieces and reaches the kernel with each: a killed process loses nothing it appended.

    Args:
        path: created where it does not exist.
        held: counts what it holds; None: it is read for that.
    """

    def __init__(self, path: Path, held: Tally | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()  # a checkpoint's thread asks for `sync` while the steps continue
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        self._descriptor: int | None = descriptor
        self._held = held or Tally(iter(lambda: os.read(descriptor, _BUFFER), b""))
        self._step, self._before = 0, self._held.content

    def write(self, piece: bytes, step: int = 0) -> None:
        """Append a piece, or nothing: after an error the file is as it was, and the call may be tried again.

        Args:
            piece: any bytes.
            step: what it is about; never less than that of the piece before.

        Raises:
            OSError: a full disk, for one.
        """
        with self._lock:
            descriptor = self._open()
            if step > self._step:
                self._step, self._before = step, self._held.content
            size = os.fstat(descriptor).st_size
            rest = memoryview(piece)
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except BaseException:
                os.ftruncate(descriptor, size)
                raise
            self._held.add(piece)

    def content(self, last_step: int | None = None) -> Content:
        """Return what it holds by what was appended; without the last step's pieces if that is after `last_step`."""
        return self._held.content if last_step is None or self._step <= last_step else self._before

    def sync(self) -> None:
        """Return once everything appended is on the disk.

        Raises:
            OSError: for example, the file was removed, replaced or cut by somebody else.
        """
        with self._lock:
            about = os.fstat(self._open())
            same = about.st_size == self._held.size and os.path.samestat(about, os.stat(self.path))
        if not same:
            raise OSError(errno.ESTALE, "was changed by somebody else while it was written", str(self.path))
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


def tally_of(path: Path, most: int | None = None) -> Tally:
    """Count the first `most` bytes of a file, or all of them."""
    with open(path, "rb", buffering=0) as file:
        return Tally(iter(lambda: file.read(_BUFFER if most is None else min(_BUFFER, most - file.tell())), b""))


def hashed(path: Path, most: int | None = None) -> Content:
    """Return what a file holds in its first `most` bytes, or in all of them."""
    return tally_of(path, most).content


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> Content:
    """Write a new file, piece after piece, and return once it is on the disk.

    Raises:
        OSError: for example, the file exists or the disk is full.
    """
    with _synced(path) as file:
        return Tally(_written(file, pieces)).content


def replace_file(path: Path, pieces: Iterable[bytes]) -> Content:
    """Write a file as `replacing` does; arguments as for `write_synced`."""
    with replacing(path) as file:
        return Tally(_written(file, pieces)).content


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write to so that at any instant the path holds the old content or all of the new.

    Raises:
        OSError: the disk is full or read-only; the old content is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of a killed process with the same number
        with _synced(temporary) as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def _synced(path: Path) -> Iterator[BinaryIO]:
    with open(path, "xb", buffering=_BUFFER) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _written(file: BinaryIO, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Write pieces, and yield each."""
    for piece in pieces:
        file.write(piece)
        yield piece


@contextmanager
def whole_directory(path: Path, temporary: Path) -> Iterator[Path]:
    """Give a directory to be filled; afterwards it is at `path`, complete and on the disk, or nowhere.

    Args:
        path: where no directory is, or an empty one.
        temporary: its name meanwhile; what a killed process left there is removed.

    Raises:
        OSError: a full disk, for one.
    """
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        sync_directory(temporary)
        os.rename(temporary, path)
        sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(directory: Path, pattern: str) -> list[str]:
    """Remove what killed processes left unfinished, as far as that is possible; returns the names."""
    stale = sorted(directory.glob(pattern))
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink()
    return [path.name for path in stale]


def lines_from_end(file: BinaryIO, most: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the place and the text of each whole line, from the last to the first, of at most `most` bytes."""
    start = size = file.seek(0, os.SEEK_END)
    rest: list[bytes] = []  # of a line whose beginning is still to come
    whole = False  # a last line that no line break ends is still being written
    while start and (most is None or size - start < most):
        end, start = start, max(0, start - _CHUNK)
        file.seek(start)
        first, *lines = file.read(end - start).split(b"\n")
        at = end
        for line in reversed(lines):
            at -= len(line)
            if whole:
                yield at, b"".join([line, *reversed(rest)])
            at, rest, whole = at - 1, [], True
        rest.append(first)
    if whole and not start:
        yield 0, b"".join(reversed(rest))
