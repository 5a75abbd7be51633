"""Checkpoints that are whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.files import sync_directory

_STATE, _META, _MANIFEST = "state.safetensors", "meta.json", "MANIFEST.json"
_NAME = re.compile(r"step_(\d{10})")


class Checkpoint(NamedTuple):
    """A checkpoint that was read and verified.

    Attributes:
        path: its directory.
        tensors: by name, on the CPU.
        meta: everything else.
    """

    path: Path
    tensors: dict[str, Tensor]
    meta: dict[str, Any]


class CorruptError(Exception):
    """A checkpoint that does not verify."""


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], keep: int) -> Path:
    """Write one checkpoint, then remove all but the newest.

    Everything is written and synced under a temporary name, then renamed, so a kill at any instant leaves either the
    old checkpoints or the old ones and this.

    Args:
        folder: the run's checkpoints; created where missing.
        step: generator updates made.
        tensors: the state.
        meta: what JSON can hold of the rest.
        keep: checkpoints to keep, this one included.

    Returns:
        the checkpoint's directory.

    Raises:
        OSError: a full disk, for one; the older checkpoints are untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{step:010d}"
    temporary = folder / f".tmp-{final.name}-{os.getpid()}"
    contents = {
        _STATE: safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}),
        _META: json.dumps(dict(meta), allow_nan=False, indent=1).encode(),
    }
    contents[_MANIFEST] = _manifest({name: _entry(content) for name, content in contents.items()})
    try:
        temporary.mkdir()
        for name, content in contents.items():
            with open(temporary / name, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        sync_directory(temporary)
        if final.exists():
            _remove(final)
        os.rename(temporary, final)
        sync_directory(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for old in steps(folder)[keep:]:
        _remove(folder / f"step_{old:010d}")
    for stale in folder.glob(".tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)
    return final


def steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, newest first, verified or not."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]) for match in map(_NAME.fullmatch, names) if match), reverse=True)


def load(folder: Path, warn: Callable[[str], None], step: int | None = None) -> Checkpoint:
    """Read the newest checkpoint that verifies, or the one of a step.

    Args:
        folder: the run's checkpoints.
        warn: told of each checkpoint that is passed over.
        step: this one or none.

    Raises:
        UserError: there is none, or none verifies.
    """
    found = steps(folder)
    if step is not None and step not in found:
        raise UserError(f"{folder} has no checkpoint of step {step}; it has {', '.join(map(str, found)) or 'none'}")
    for candidate in found if step is None else [step]:
        path = folder / f"step_{candidate:010d}"
        try:
            return _read(path)
        except CorruptError as error:
            warn(f"{path} is passed over: {error}")
    raise UserError(f"{folder} has no checkpoint that verifies" if found else f"{folder} has no checkpoint yet")


def _read(path: Path) -> Checkpoint:
    """Read and verify; what is parsed is the very bytes that were hashed."""
    try:
        manifest = json.loads((path / _MANIFEST).read_bytes())
        if _manifest(manifest["files"]) != (path / _MANIFEST).read_bytes():
            raise CorruptError(f"{_MANIFEST} does not match its own hash")
        if set(manifest["files"]) != {_STATE, _META}:
            raise CorruptError(f"{_MANIFEST} lists other files")
        contents = {}
        for name, entry in manifest["files"].items():
            contents[name] = (path / name).read_bytes()
            if _entry(contents[name]) != entry:
                raise CorruptError(f"{name} is not what was written")
        return Checkpoint(path, safetensors.torch.load(contents[_STATE]), json.loads(contents[_META]))
    except OSError as error:
        raise CorruptError(f"{Path(error.filename or path).name}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise CorruptError(f"not a checkpoint ({type(error).__name__})") from error


def _entry(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest(files: Mapping[str, Any]) -> bytes:
    body = json.dumps(files, sort_keys=True)
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "files": files}, sort_keys=True).encode()


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no half of it is ever seen under its name."""
    doomed = path.with_name(f".tmp-old-{path.name}")
    os.rename(path, doomed)
    shutil.rmtree(doomed)
