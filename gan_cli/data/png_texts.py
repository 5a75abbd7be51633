"""PNG files whose texts are larger than Pillow reads."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

MAX_TEXT = 2**20  # bytes of all texts together that are kept: Pillow refuses a single one that is larger
_SIGNATURE = 8  # bytes
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")  # iCCP: a colour profile, which is compressed as zTXt is


def without_large_texts(file: BinaryIO) -> BinaryIO:
    """Return a PNG file without the texts that, with those before them, are larger than MAX_TEXT.

    Args:
        file: open for reading in binary, seekable.
    """
    file.seek(0)
    kept, room = [file.read(_SIGNATURE)], MAX_TEXT
    for kind, content, chunk in _chunks(file):
        size = _unpacked(kind, content, room) if kind in _TEXTS else 0
        if size <= room:
            kept.append(chunk)
            room -= size
    return io.BytesIO(b"".join(kept))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each chunk's kind, content and all its bytes; what is left of a truncated file is the last one."""
    while head := file.read(8):
        size = struct.unpack(">I", head[:4])[0] if len(head) == 8 else 0
        rest = file.read(size + 4)
        yield head[4:], rest[:-4], head + rest


def _unpacked(kind: bytes, content: bytes, most: int) -> int:
    """Return the bytes of a text; of a compressed one, at most one more than `most`."""
    _, _, rest = content.partition(b"\0")
    packed = b""
    if kind in (b"zTXt", b"iCCP"):
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    try:
        return len(content) + len(zlib.decompressobj().decompress(packed, most + 1))
    except zlib.error:
        return len(content)
