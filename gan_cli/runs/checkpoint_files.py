"""The files of one checkpoint: written so that they are complete or absent, and verified when they are read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from gan_cli.core import untrusted
from gan_cli.core.files import Tally, hashed, whole_directory, write_synced
from gan_cli.core.hardware import memory_bytes
from gan_cli.runs.checkpoint_meta import check_meta
from gan_cli.runs.tensor_file import pieces

_STATE, _META, _MANIFEST = "state.safetensors", "meta.json", "MANIFEST.json"
NAME = re.compile(r"step_(\d{10})")  # of a checkpoint's directory
UNFINISHED = ".tmp-*"  # what a killed process leaves beside them
_META_BYTES, _MANIFEST_BYTES = 2**24, 2**12  # at the most


class Checkpoint(NamedTuple):
    """A checkpoint that was read and verified."""

    path: Path  # its directory
    tensors: dict[str, Tensor]  # by name, on the CPU
    meta: dict[str, Any]  # everything else


class CorruptError(Exception):
    """A checkpoint that does not verify."""


def name_of(step: int) -> str:
    """Return the name of the directory of a step's checkpoint."""
    return f"step_{step:010d}"


def write(folder: Path, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Path:
    """Write one checkpoint under a temporary name, sync it, rename it and return its directory; replace an old one."""
    folder.mkdir(exist_ok=True)  # a run directory that was removed is not made again
    final = folder / name_of(step)
    temporary = folder / f".tmp-{final.name}-{os.getpid()}"
    with whole_directory(final, temporary):
        files = {
            _STATE: write_synced(temporary / _STATE, pieces(tensors)),
            _META: write_synced(temporary / _META, [json.dumps(dict(meta), allow_nan=False, indent=1).encode()]),
        }
        write_synced(temporary / _MANIFEST, [manifest(files)])
        if final.exists():
            with suppress(OSError):
                remove(final)
    return final


def read(path: Path) -> Checkpoint:
    """Read and verify a checkpoint; what is parsed is the very bytes that were hashed.

    Raises:
        CorruptError: it is not what was written.
    """
    with _corrupt_if_unreadable(path):
        contents = {}
        limits = {_STATE: memory_bytes() // 4, _META: _META_BYTES}  # the state is held twice as it is parsed
        for name, entry in _entries(path).items():
            contents[name] = untrusted.read(path / name, limits[name])
            if Tally([contents[name]]).content != entry:
                raise CorruptError(f"{name} is not what was written")
        return Checkpoint(path, safetensors.torch.load(contents[_STATE]), _meta(path, contents[_META]))


def verify(path: Path) -> dict[str, Any]:
    """Hash a checkpoint's files, without loading them, and return its `meta`.

    Raises:
        CorruptError: it is not what was written.
    """
    with _corrupt_if_unreadable(path):
        for name, entry in _entries(path).items():
            if hashed(path / name) != entry:
                raise CorruptError(f"{name} is not what was written")
        return _meta(path, untrusted.read(path / _META, _META_BYTES))


def remove(path: Path) -> None:
    """Remove a checkpoint so that no half of it is ever seen under its name.

    Raises:
        OSError: it is left, or a part of it under another name, which is `UNFINISHED`.
    """
    doomed = path.with_name(f".tmp-old-{path.name}")
    shutil.rmtree(doomed, ignore_errors=True)  # of a process that was killed here
    os.rename(path, doomed)
    shutil.rmtree(doomed)


def manifest(files: Mapping[str, Any]) -> bytes:
    """Return the content of the manifest of these files, with its own hash."""
    body = json.dumps(files, sort_keys=True)
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "files": files}, sort_keys=True).encode()


def _entries(path: Path) -> dict[str, Any]:
    """Read the manifest: each file's size and hash."""
    content = untrusted.read(path / _MANIFEST, _MANIFEST_BYTES)
    files = untrusted.parse_json(content)["files"]
    if manifest(files) != content:
        raise CorruptError(f"{_MANIFEST} does not match its own hash")
    if set(files) != {_STATE, _META}:
        raise CorruptError(f"{_MANIFEST} lists other files")
    return files


def _meta(path: Path, content: bytes) -> dict[str, Any]:
    return check_meta(untrusted.parse_json(content), int(path.name.rpartition("_")[2]))


@contextmanager
def _corrupt_if_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorruptError(f"{Path(error.filename or path).name}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError, SafetensorError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise CorruptError(f"not a checkpoint ({reason})") from error
