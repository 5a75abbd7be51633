"""TensorBoard's event files, written at once and in order: no thread hides a full disk, no clock reorders them.

A writer of tensorboard's own buffers in a thread that ends at the first OSError, and names its file by the clock: after
a resume with the clock set back, the new file sorts before the old one and readers discard the wrong half. Its module
of checksums imports a stand-in for TensorFlow, which takes a tenth of a second.
"""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from gan_cli.core.files import AppendFile, replace_file, sync_directory

_ABOUT_THE_RUN = {"text", "hparams", "custom_scalars"}  # plugins of which a reader keeps the first value it meets


class EventFile:
    """One new event file in a run directory, sorting after those that are there.

    Older files are cut first: events of steps from `purge_step` on, a torn end, and what is written again by
    every session (text, hparams, layout) go, so that every reader sees one unbroken run.

    Args:
        run_dir: the run directory.
        purge_step: the first step that this session will write. None: a new run.
    """

    def __init__(self, run_dir: Path, purge_step: int | None) -> None:
        self._last_time = 0.0
        newest = 0
        for path in sorted(run_dir.glob("events.out.tfevents.*")):
            if purge_step is not None and path.is_file():
                self._last_time = max(self._last_time, _cut(path, purge_step))
            newest = max(newest, _stamp(path))
        name = f"events.out.tfevents.{max(int(time.time()), newest + 1):010d}.gan"
        self._file = AppendFile(run_dir / name, new=True)
        sync_directory(run_dir)
        self.write(Event(file_version="brain.Event:2"))
        # Readers take the first START of a run for its beginning, and purge at each later one.
        self.write(Event(step=purge_step or 0, session_log=SessionLog(status=SessionLog.START)))

    def write(self, event: Event) -> None:
        """Append an event; times never run backwards within a run.

        Raises:
            OSError: the event is not in the file, and the call may be tried again.
        """
        self._last_time = event.wall_time = max(time.time(), self._last_time)
        length, body = struct.pack("<Q", event.ByteSize()), event.SerializeToString()
        self._file.write(length + _checksum(length) + body + _checksum(body))

    def sync(self) -> None:
        """Return once every event is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


def _stamp(path: Path) -> int:
    digits = path.name.split(".")[3]
    return int(digits) if digits.isdecimal() else 0


def _cut(path: Path, purge_step: int) -> float:
    """Drop what a session from `purge_step` on writes again; returns the time of the last event that stays."""
    kept, last_time = [], 0.0
    for record, event in records(path):
        if not _written_again(event, purge_step):
            kept.append(record)
            last_time = max(last_time, event.wall_time)
    if sum(map(len, kept)) < path.stat().st_size:
        replace_file(path, kept)
    return last_time


def _written_again(event: Event, purge_step: int) -> bool:
    if event.HasField("summary"):
        plugins = {value.metadata.plugin_data.plugin_name for value in event.summary.value}
        return event.step >= purge_step or bool(plugins & _ABOUT_THE_RUN)
    return event.HasField("session_log") and event.step >= purge_step


def records(path: Path) -> Iterator[tuple[bytes, Event]]:
    """Records up to the first torn one: length (8 bytes), its checksum (4), data, their checksum (4)."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack_from("<Q", head)
            if head[8:] != _checksum(head[:8]) or file.tell() + length + 4 > size:
                return
            body = file.read(length + 4)
            try:
                event = Event.FromString(body[:-4])
            except DecodeError:
                return
            yield head + body, event


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
