"""Writes checkpoints, in the call or in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch import Tensor

from gan_cli.runs import checkpoint
from gan_cli.runs.directory import RunDirectory


class Saver:
    """Writes one checkpoint at a time: in the call itself, or in a thread while the training continues.

    In a thread, only a copy of the state is made in the call, in host memory. Whatever comes of a write, warnings and
    errors included, comes out in the training's own thread, at the next call of any method. It pays on a GPU with large
    states or slow disks; a DCGAN at 64 x 64 is written in a fifth of a second (scripts/bench_checkpoint.py).

    Args:
        run: the run's directory; what is written there is on the disk before a checkpoint that takes it for granted.
        keep: as for `checkpoint.save`, and so are `milestones` and `warn`.
        background: write in a thread.
        saved: called with the step of each checkpoint that was written, in the training's thread.
    """

    def __init__(
        self,
        run: RunDirectory,
        keep: int,
        milestones: int | None,
        background: bool,
        saved: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self.run, self._kept = run, (keep, milestones)
        self._saved, self._warn = saved, warn
        self._thread = ThreadPoolExecutor(1, "checkpoint") if background else None
        self._under_way: Future[int] | None = None
        self._unreported: deque[str] = deque()

    def save(self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Write a checkpoint, or begin to.

        Raises:
            OSError: of this write, or of the one before that ran behind the training.
        """
        self.wait()
        if self._thread:
            copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
            self._under_way = self._thread.submit(self._write, step, copies, meta)
        else:
            self._end(lambda: self._write(step, tensors, meta))

    def collect(self) -> None:
        """Report what came of a write behind the training, if it is done; never waits, but may raise as `wait` does."""
        if self._under_way and self._under_way.done():
            self.wait()

    def wait(self) -> None:
        """Return once no write is under way.

        Raises:
            OSError: it failed.
        """
        under_way, self._under_way = self._under_way, None
        if under_way:
            self._end(under_way.result)

    def close(self) -> None:
        """End the thread, once a write that is under way is done."""
        if self._thread:
            self._thread.shutdown()

    def _write(self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> int:
        self.run.sync()
        checkpoint.save(self.run.checkpoints, step, tensors, meta, *self._kept, self._unreported.append)
        return step

    def _end(self, written: Callable[[], int]) -> None:
        try:
            step = written()
        finally:
            while self._unreported:
                self._warn(self._unreported.popleft())
        self._saved(step)
