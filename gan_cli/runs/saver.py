"""Writes checkpoints, in the call or in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_cli.runs import checkpoint
from gan_cli.runs.tensor_file import Snapshot


class Saver:
    """Writes one checkpoint at a time: in the call itself, or in a thread while the training continues.

    In the background, only the copy of the state is taken in the call, so that what is written does not depend on it,
    and the next `save` waits until the one before is on the disk. Whatever comes of a write, warnings and errors
    included, comes out in the training's own thread, at the next call of any method.

    `background` costs a second copy of the state in host memory. It is off by default: a DCGAN at 64 x 64 is written in
    a fifth of a second, and in half a second on a busy machine (scripts/bench_checkpoint.py), every five minutes less
    than two thousandths of the time; where training and the write share a processor, most of that is not won back; and
    a checkpoint that is there before the next step begins is one that a kill cannot take. It pays on a GPU with large
    states, slow disks or frequent checkpoints.

    Args:
        folder: the run's checkpoints.
        keep: see `checkpoint.save`.
        milestone_every_steps: see there.
        background: write in a thread.
        sync: returns once everything is on the disk that a checkpoint takes for granted, such as the rows before it;
            called before each write, in its thread.
        saved: called with the step of each checkpoint that was written, in the training's thread.
        warn: called with what had to make room on a full disk, in the training's thread.
    """

    def __init__(
        self,
        folder: Path,
        keep: int,
        milestone_every_steps: int | None,
        background: bool,
        sync: Callable[[], None],
        saved: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.keep = keep
        self.milestone_every_steps = milestone_every_steps
        self._sync, self._saved, self._warn = sync, saved, warn
        self._thread = ThreadPoolExecutor(1, "checkpoint") if background else None
        self._snapshot = Snapshot()
        self._under_way: Future[int] | None = None
        self._unreported: deque[str] = deque()

    def save(self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Write a checkpoint, or begin to.

        Raises:
            OSError: of this write, or of the one before that ran behind the training.
        """
        self.wait()
        if self._thread:
            self._under_way = self._thread.submit(self._write, step, self._snapshot.take(tensors), meta)
            return
        try:
            self._write(step, tensors, meta)
        finally:
            self._report()
        self._saved(step)

    def collect(self) -> None:
        """Report what came of a write behind the training, if it is done; never waits.

        Raises:
            OSError: it failed.
        """
        if self._under_way and self._under_way.done():
            self.wait()

    def wait(self) -> None:
        """Return once no write is under way.

        Raises:
            OSError: it failed.
        """
        under_way, self._under_way = self._under_way, None
        if not under_way:
            return
        try:
            step = under_way.result()
        finally:
            self._report()
        self._saved(step)

    def close(self) -> None:
        """End the thread, once a write that is under way is done."""
        if self._thread:
            self._thread.shutdown()

    def _write(self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> int:
        self._sync()
        checkpoint.save(
            self.folder, step, tensors, meta, self.keep, self.milestone_every_steps, self._unreported.append
        )
        return step

    def _report(self) -> None:
        while self._unreported:
            self._warn(self._unreported.popleft())
