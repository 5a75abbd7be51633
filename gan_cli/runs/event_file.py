"""The records of TensorBoard's event files.

TensorBoard's module of checksums imports a stand-in for TensorFlow, which takes a tenth of a second.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

_ABOUT_THE_RUN = {"text", "hparams", "custom_scalars"}  # plugins of which a reader keeps the first value it meets
_HEAD, _AROUND, _BLOCK, _PART = 12, 16, 2**22, 2**12  # bytes


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
        verify: compare the events' checksums.
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
    """Return the masked CRC-32C of a record's part: 4 bytes. It is the sum, without carry, of what each byte adds."""
    (added, places), crc = _crc_tables(), 0xFFFFFFFF
    for start in range(0, len(data), _PART):
        part = np.frombuffer(data[start : start + _PART], np.uint8).copy()
        n = len(part)
        part[:4] ^= np.frombuffer(struct.pack("<I", crc), np.uint8)[:n]
        crc = (crc >> 8 * n if n < 4 else 0) ^ int(np.bitwise_xor.reduce(added[places[-n:] + part]))
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@functools.cache
def _crc_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return what each byte adds, by its place before the end of a part, and where the bytes of a place begin there."""
    last = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        last = np.where(last & 1, last >> 1 ^ np.uint32(0x82F63B78), last >> 1)
    added = [last]
    while len(added) < _PART:
        added.append(last[added[-1] & 0xFF] ^ added[-1] >> 8)
    return np.concatenate(added[::-1]), np.arange(_PART) * 256
