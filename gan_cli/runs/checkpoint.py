"""The checkpoints of a run: which are written, kept, removed and read."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_cli.core.files import sweep
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint_files as files
from gan_cli.runs.checkpoint_files import Checkpoint, CorruptError, name_of

GOOD = 2  # the fewest checkpoints that verify and are never removed
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
    """Write one checkpoint, then remove those that `kept` lets go; returns the new one's directory.

    A kill at any instant leaves either the old checkpoints or the old ones and this. Where the disk has no room, what
    `keep` holds beyond the two that must stay makes room, and the write is tried once more.

    Args:
        folder: the run's checkpoints; created where missing.
        step: generator updates made.
        tensors: the state.
        meta: what JSON can hold of the rest; meta["best"]["step"], where it is there, is the best checkpoint so far.
        keep: the newest checkpoints that stay, this one included; at least 2.
        milestone_every_steps: as for `kept`.
        warn: called with what had to make room on a full disk, and what could not be removed.

    Raises:
        OSError: a disk that is full even then, for one; the older checkpoints are intact.
    """
    try:
        path = files.write(folder, step, tensors, meta)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        if made_room := _tidy(folder, GOOD, milestone_every_steps, {}, warn):
            removed = ", ".join(made_room)
            warn(f"no room for the checkpoint of step {step} ({error.strerror}): {removed} removed, tried again")
        path = files.write(folder, step, tensors, meta)
    _tidy(folder, keep, milestone_every_steps, {step: meta}, warn)
    return path


def _tidy(
    folder: Path, keep: int, milestones: int | None, known: Mapping[int, Mapping[str, Any]], warn: Callable[[str], None]
) -> list[str]:
    """Remove what is unfinished, and the checkpoints that `kept` lets go; returns the names of all that went.

    Before any goes, the newest are verified until two are good; those whose meta is `known` have just been written.
    """
    gone, present = sweep(folder, files.UNFINISHED), steps(folder)
    if len(present) <= keep:
        return gone
    good: dict[int, Mapping[str, Any]] = {}
    for step in present:
        with suppress(CorruptError):
            good[step] = known.get(step) or files.verify(folder / name_of(step))
        if len(good) == GOOD:
            break
    best = best_step(next(iter(good.values()), {}))
    for step in sorted(set(present) - kept(present, good, keep, milestones, best)):
        try:
            files.remove(folder / name_of(step))
            gone.append(name_of(step))
        except OSError as error:
            warn(f"the checkpoint of step {step} cannot be removed now ({error.strerror}): it is left for later")
    return gone


def kept(
    present: Iterable[int],
    good: Collection[int],
    newest: int,
    milestone_every_steps: int | None = None,
    best: int | None = None,
) -> set[int]:
    """Return the steps whose checkpoints stay; what is not among them may be removed.

    Args:
        present: steps that have a checkpoint.
        good: those that verify; the two newest of them stay, so that a damaged one takes no place.
        newest: how many of the newest stay, whether they verify or not; at least 2.
        milestone_every_steps: its multiples stay for good; None: there are none.
        best: this one stays; None: there is none.
    """
    present = sorted(present, reverse=True)
    milestones = {step for step in present if milestone_every_steps and step % milestone_every_steps == 0}
    return {*present[:newest], *sorted(good, reverse=True)[:GOOD], *milestones, *({best} & set(present))}


def best_step(meta: Mapping[str, Any]) -> int | None:
    """Return the step of the best checkpoint that a checkpoint's `meta` knows of."""
    best = meta.get("best")
    step = best.get("step") if isinstance(best, dict) else None
    return step if type(step) is int else None


def steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, newest first, verified or not."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]) for match in map(files.NAME.fullmatch, names) if match), reverse=True)


def load(folder: Path, warn: Callable[[str], None], step: int | None = None) -> Checkpoint:
    """Read the newest checkpoint that verifies, or the one of a step.

    Args:
        folder: the run's checkpoints.
        warn: called for each checkpoint that is skipped.
        step: None: the newest.

    Raises:
        UserError: there is none, or none verifies.
    """
    found = steps(folder)
    for candidate in found:
        if step in (None, candidate):
            try:
                return files.read(folder / name_of(candidate))
            except CorruptError as error:
                warn(f"{folder / name_of(candidate)} is skipped: {error}")
    listed = ", ".join(map(str, found)) or "none"
    if step in found:
        raise UserError(f"{folder / name_of(step)} is damaged; the run has the checkpoints {listed}")
    if step is not None:
        raise UserError(f"{folder} has no checkpoint of step {step}; it has {listed}")
    raise UserError(f"{folder} has no intact checkpoint" if found else f"{folder} has no checkpoint yet")


def load_best(folder: Path, warn: Callable[[str], None]) -> Checkpoint:
    """Read the checkpoint that was best by `checkpoint.best`, as the newest one that verifies names it.

    Raises:
        UserError: none was best, or it is not there, or does not verify.
    """
    newest = load(folder, warn)
    step = best_step(newest.meta)
    if step is None:
        raise UserError(
            f"{folder} has no best checkpoint: the run watched no curve for one (checkpoint.best=TAG), or had no value "
            f"of it yet; checkpoint=latest, or a step of {', '.join(map(str, steps(folder)))}"
        )
    return newest if newest.path.name == name_of(step) else load(folder, warn, step)
