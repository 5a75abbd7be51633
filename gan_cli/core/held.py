"""A directory that one process holds alone."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

_LOCK = ".lock"
_OWN_FILES = Path("/proc/self/fd")


class Held:
    """A directory that this process holds alone until it is closed.

    The directory itself is locked, so that removing a file in it does not unlock it. Its file .lock is locked too:
    network file systems lock directories for one machine only.

    Args:
        path: an existing directory.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptors: list[int] = []
        try:
            self._descriptors.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptors.append(os.open(self.inside / _LOCK, flags, 0o666))
            for descriptor in self._descriptors:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            Held.close(self)
            raise

    @property
    def inside(self) -> Path:
        """A path to the directory that was opened, also where its own path leads to another one by now.

        Raises:
            FileNotFoundError: it was removed or replaced, on a system without /proc.
        """
        inside = _OWN_FILES / str(self._descriptors[0])
        if inside.exists():
            return inside
        if not self.is_there():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        return self.path

    def is_there(self) -> bool:
        """Return whether its path still leads to it."""
        try:
            return os.path.samestat(os.fstat(self._descriptors[0]), os.stat(self.path))
        except OSError:
            return False

    def close(self) -> None:
        """Release it for other processes; a second call does nothing."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def is_held(directory: Path) -> bool:
    """Return whether a process holds a directory now; nothing is written to find that out."""
    for path, only in ((directory, os.O_DIRECTORY), (directory / _LOCK, os.O_NOFOLLOW)):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | only)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
    return False
