"""The records of TensorBoard's event files.

TensorBoard's module of checksums imports a stand-in for TensorFlow, which takes a tenth of a second.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

_ABOUT_THE_RUN = {"text", "hparams", "custom_scalars"}  # plugins of which a reader keeps the first value it meets
_HEAD, _AROUND, _BLOCK = 12, 16, 2**22  # bytes


def first_event() -> Event:
    """Return the event with which every file begins."""
    return Event(file_version="brain.Event:2")


def record(event: Event) -> bytes:
    """Return an event as it stands in a file: length (8 bytes), its checksum (4), data, their checksum (4)."""
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join([length, _checksum(length), data, _checksum(data)])


def records(path: Path, verify: bool = True, start: int = 0) -> Iterator[tuple[bytes, Event | None]]:
    """Yield the records of a file up to a torn one, each with its event; None where it is not what was written.

    Args:
        path: the file.
        verify: compare the events' checksums, which takes 0.2 ms an event.
        start: where the first record begins, in bytes.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        file.seek(start)
        while len(head := file.read(_HEAD)) == _HEAD:
            (length,) = struct.unpack_from("<Q", head)
            if _checksum(head[:8]) != head[8:] or file.tell() + length + 4 > size:
                return
            whole = head + file.read(length + 4)
            yield whole, _event(whole, verify)


def _event(whole: bytes, verify: bool = True) -> Event | None:
    """Return the event of a record; None where it is none, or its checksum says so."""
    data = whole[_HEAD:-4]
    with suppress(DecodeError):
        return None if verify and _checksum(data) != whole[-4:] else Event.FromString(data)
    return None


def is_of_session(event: Event) -> bool:
    """Return whether an event describes the session that wrote it, and not a step."""
    plugins = {value.metadata.plugin_data.plugin_name for value in event.summary.value}
    return bool(plugins & _ABOUT_THE_RUN) or event.HasField("session_log") or event.HasField("file_version")


def last_time(path: Path) -> float:
    """Return the time of the last event of a file that ends with a whole record."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _BLOCK))
        block = file.read()
    for at in range(len(block) - _AROUND, -1, -1):
        length = struct.pack("<Q", len(block) - at - _AROUND)
        if block.startswith(length, at) and (event := _event(block[at:])) is not None:
            return event.wall_time
    return 0.0


def stamp(path: Path) -> int:
    """Return the number in an event file's name, by which files are read in order."""
    digits = path.name.split(".")[3]
    return int(digits) if digits.isdecimal() else 0


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of a record's part: 4 bytes."""
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@functools.cache
def _crc_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [crc >> 1 ^ (0x82F63B78 if crc & 1 else 0) for crc in table]
    return table
