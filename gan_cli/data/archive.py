"""A .zip file whose members are read one by one; nothing is ever unpacked, so a member's name is no path."""

from __future__ import annotations

import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gan_cli.data.pictures import BadPicture
from gan_cli.errors import UserError

MAX_BYTES = 2**28  # of a member: an uncompressed picture of the most pixels


class Archive:
    """An open .zip file.

    Args:
        path: of the file.

    Raises:
        UserError: it is damaged, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise UserError(f"{path} cannot be read as a .zip file: {error}") from error
        self._members = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        self._lock = threading.Lock()  # zipfile counts its open members without one

    def members(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name, bytes and checksum of each file."""
        yield from ((name, info.file_size, info.CRC) for name, info in self._members.items())

    def open(self, name: str) -> BinaryIO:
        """Return a member's content.

        Raises:
            BadPicture: it is damaged, encrypted, or larger than any picture.
        """
        info = self._members[name]
        if info.file_size > MAX_BYTES:
            raise BadPicture(f"a decompression bomb: {info.file_size:,} bytes, more than {MAX_BYTES:,}")
        try:
            with self._lock:
                member = self._zip.open(info)
            try:
                return io.BytesIO(member.read())
            finally:
                with self._lock:
                    member.close()
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
            raise BadPicture(f"cannot be read from the archive ({error})") from error
