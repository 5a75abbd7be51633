"""The checkpoints of a run: which are written, kept, removed and read."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.runs.checkpoint_files import (
    NAME,
    Checkpoint,
    CorruptError,
    name_of,
    read,
    remove,
    remove_unfinished,
    verify,
    write,
)
from gan_cli.runs.retention import GOOD, kept

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


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
        path = write(folder, step, tensors, meta)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        made_room = remove_unfinished(folder) + [name_of(old) for old in prune(folder, GOOD, milestone_every_steps)]
        if made_room:
            removed = ", ".join(made_room)
            warn(f"no room for the checkpoint of step {step} ({error.strerror}): {removed} removed, tried again")
        path = write(folder, step, tensors, meta)
    remove_unfinished(folder)
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
    nothing. The best is the one that the newest intact checkpoint names.

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
            good[step] = (known or {}).get(step) or verify(folder / name_of(step))
        if len(good) == GOOD:
            break
    best = best_step(next(iter(good.values()), {}))
    doomed = sorted(set(present) - kept(present, good, keep, milestone_every_steps, best))
    for step in doomed:
        remove(folder / name_of(step))
    return doomed


def best_step(meta: Mapping[str, Any]) -> int | None:
    """Return the step of the best checkpoint that a checkpoint's `meta` knows of."""
    best = meta.get("best")
    step = best.get("step") if isinstance(best, dict) else None
    return step if type(step) is int else None


def steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, newest first, verified or not."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]) for match in map(NAME.fullmatch, names) if match), reverse=True)


def load(folder: Path, warn: Callable[[str], None], step: int | None = None) -> Checkpoint:
    """Read the newest checkpoint that verifies, or the one of a step.

    Args:
        folder: the run's checkpoints.
        warn: called for each checkpoint that is skipped.
        step: this one or none.

    Raises:
        UserError: there is none, or none verifies.
    """
    found = steps(folder)
    if step is not None and step not in found:
        raise UserError(f"{folder} has no checkpoint of step {step}; it has {_listed(found)}")
    for candidate in found if step is None else [step]:
        path = folder / name_of(candidate)
        try:
            return read(path)
        except CorruptError as error:
            warn(f"{path} is skipped: {error}")
    if step is not None:
        raise UserError(f"{folder / name_of(step)} is damaged; the run has the checkpoints {_listed(found)}")
    raise UserError(f"{folder} has no intact checkpoint" if found else f"{folder} has no checkpoint yet")


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
    return newest if newest.path.name == name_of(step) else load(folder, warn, step)


def _listed(found: list[int]) -> str:
    return ", ".join(map(str, found)) or "none"
