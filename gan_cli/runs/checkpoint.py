"""Checkpoints: written so that they are complete or absent, and verified when they are read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from gan_cli.core import untrusted
from gan_cli.core.files import sync_directory, write_synced
from gan_cli.core.hardware import memory_bytes
from gan_cli.errors import UserError
from gan_cli.runs.checkpoint_meta import check_meta
from gan_cli.runs.retention import GOOD, kept
from gan_cli.runs.tensor_file import pieces

_STATE, _META, _MANIFEST = "state.safetensors", "meta.json", "MANIFEST.json"
_NAME = re.compile(r"step_(\d{10})")
_TEMPORARY = ".tmp-"
_BLOCK = 2**20  # bytes
_META_BYTES, _MANIFEST_BYTES = 2**20, 2**12  # at the most
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


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


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    keep: int,
    milestone_every_steps: int | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Path:
    """Write one checkpoint, then remove those that `retention.kept` lets go.

    Everything is written and synced under a temporary name, then renamed, so a kill at any instant leaves either the
    old checkpoints or the old ones and this. Where the disk has no room, what a killed process left behind and what
    `keep` holds beyond the two that must stay make room, and the write is tried once more.

    Args:
        folder: the run's checkpoints; created where missing.
        step: generator updates made.
        tensors: the state.
        meta: what JSON can hold of the rest; meta["best"]["step"], where it is there, is the checkpoint that was best
            so far and stays.
        keep: the newest checkpoints that stay, this one included; at least 2.
        milestone_every_steps: checkpoints at its multiples stay for good; None: there are none.
        warn: called with what had to make room.

    Returns:
        the checkpoint's directory.

    Raises:
        OSError: a disk that is full even then, for one; the older checkpoints are intact.
    """
    try:
        path = _write(folder, step, tensors, meta)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        made_room = _sweep(folder) + [_name(old) for old in prune(folder, GOOD, milestone_every_steps)]
        if made_room:
            removed = ", ".join(made_room)
            warn(f"no room for the checkpoint of step {step} ({error.strerror}): {removed} removed, tried again")
        path = _write(folder, step, tensors, meta)
    _sweep(folder)
    prune(folder, keep, milestone_every_steps, {step: meta})
    return path


def prune(
    folder: Path,
    keep: int,
    milestone_every_steps: int | None = None,
    known: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[int]:
    """Remove the checkpoints that `retention.kept` lets go.

    Before any goes, the newest ones are read and hashed until two verify: a file that was damaged since counts for
    nothing. The best is the one that the newest good checkpoint names.

    Args:
        folder: the run's checkpoints.
        keep: the newest that stay; at least 2.
        milestone_every_steps: checkpoints at its multiples stay; None: there are none.
        known: the `meta` of checkpoints that need not be verified: this process has just written them.

    Returns:
        the steps that went.
    """
    present = steps(folder)
    if len(present) <= keep:
        return []
    good: dict[int, Mapping[str, Any]] = {}
    for step in present:
        with suppress(CorruptError):
            good[step] = (known or {}).get(step) or verify(folder / _name(step))
        if len(good) == GOOD:
            break
    best = best_step(next(iter(good.values()), {}))
    doomed = sorted(set(present) - kept(present, good, keep, milestone_every_steps, best))
    for step in doomed:
        _remove(folder / _name(step))
    return doomed


def best_step(meta: Mapping[str, Any]) -> int | None:
    """Return the step of the best checkpoint that a checkpoint's `meta` knows of."""
    best = meta.get("best")
    step = best.get("step") if isinstance(best, dict) else None
    return step if type(step) is int else None


def steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, newest first, verified or not."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]) for match in map(_NAME.fullmatch, names) if match), reverse=True)


def load(folder: Path, warn: Callable[[str], None], step: int | None = None) -> Checkpoint:
    """Read the newest checkpoint that verifies, or the one of a step.

    Args:
        folder: the run's checkpoints.
        warn: called for each checkpoint that is passed over.
        step: this one or none.

    Raises:
        UserError: there is none, or none verifies.
    """
    found = steps(folder)
    if step is not None and step not in found:
        raise UserError(f"{folder} has no checkpoint of step {step}; it has {_listed(found)}")
    for candidate in found if step is None else [step]:
        path = folder / _name(candidate)
        try:
            return _read(path)
        except CorruptError as error:
            warn(f"{path} is passed over: {error}")
    if step is not None:
        raise UserError(f"{folder / _name(step)} does not verify; the run has the checkpoints {_listed(found)}")
    raise UserError(f"{folder} has no checkpoint that verifies" if found else f"{folder} has no checkpoint yet")


def load_best(folder: Path, warn: Callable[[str], None]) -> Checkpoint:
    """Read the checkpoint that was best by `checkpoint.best`, as the newest one that verifies names it.

    Raises:
        UserError: none was best, or it is not there, or does not verify.
    """
    newest = load(folder, warn)
    step, found = best_step(newest.meta), steps(folder)
    if step is None:
        raise UserError(
            f"{folder} has no best checkpoint: the run watched no curve for one (checkpoint.best=TAG), or had no value "
            f"of it yet; checkpoint=latest, or a step of {_listed(found)}"
        )
    return newest if newest.path.name == _name(step) else load(folder, warn, step)


def verify(path: Path) -> dict[str, Any]:
    """Hash a checkpoint's files, without loading them.

    Returns:
        its `meta`.

    Raises:
        CorruptError: it is not what was written.
    """
    with _corrupt_if_unreadable(path):
        for name, entry in _entries(path).items():
            digest, size = hashlib.sha256(), 0
            with open(path / name, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
            if {"bytes": size, "sha256": digest.hexdigest()} != entry:
                raise CorruptError(f"{name} is not what was written")
        return _meta(path, untrusted.read(path / _META, _META_BYTES))


def _read(path: Path) -> Checkpoint:
    """Read and verify; what is parsed is the very bytes that were hashed."""
    with _corrupt_if_unreadable(path):
        contents = {}
        limits = {_STATE: memory_bytes() // 4, _META: _META_BYTES}  # the state is held twice as it is parsed
        for name, entry in _entries(path).items():
            contents[name] = untrusted.read(path / name, limits[name])
            if _entry(contents[name]) != entry:
                raise CorruptError(f"{name} is not what was written")
        return Checkpoint(path, safetensors.torch.load(contents[_STATE]), _meta(path, contents[_META]))


def _entries(path: Path) -> dict[str, Any]:
    """Read the manifest: each file's size and hash."""
    content = untrusted.read(path / _MANIFEST, _MANIFEST_BYTES)
    files = untrusted.parse_json(content)["files"]
    if _manifest(files) != content:
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


def _write(folder: Path, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)  # a run directory that was removed is not made again
    final = folder / _name(step)
    temporary = folder / f"{_TEMPORARY}{final.name}-{os.getpid()}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)  # of a killed process with the same number
        temporary.mkdir()
        files = {
            _STATE: write_synced(temporary / _STATE, pieces(tensors)),
            _META: write_synced(temporary / _META, [json.dumps(dict(meta), allow_nan=False, indent=1).encode()]),
        }
        write_synced(temporary / _MANIFEST, [_manifest({name: written._asdict() for name, written in files.items()})])
        sync_directory(temporary)
        if final.exists():
            _remove(final)
        os.rename(temporary, final)
        sync_directory(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final


def _entry(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest(files: Mapping[str, Any]) -> bytes:
    body = json.dumps(files, sort_keys=True)
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "files": files}, sort_keys=True).encode()


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no half of it is ever seen under its name."""
    doomed = path.with_name(f"{_TEMPORARY}old-{path.name}")
    shutil.rmtree(doomed, ignore_errors=True)  # of a process that was killed here
    os.rename(path, doomed)
    shutil.rmtree(doomed)


def _sweep(folder: Path) -> list[str]:
    """Remove what killed processes left behind; returns the names."""
    stale = sorted(folder.glob(f"{_TEMPORARY}*"))
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in stale]


def _name(step: int) -> str:
    return f"step_{step:010d}"


def _listed(found: list[int]) -> str:
    return ", ".join(map(str, found)) or "none"
