"""Callbacks of the training loop: finite numbers, curves, checkpoints, signals."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Protocol

import numpy as np
import torch

from gan_cli.core.curves import Curve
from gan_cli.core.signals import OF_A_COMMAND, Stops, after_the_first, handled
from gan_cli.core.text import shell_line
from gan_cli.errors import Interrupted, NonFiniteError
from gan_cli.training.averages import Averages
from gan_cli.training.best import Best
from gan_cli.training.phases import Logs
from gan_cli.training.probes import Row
from gan_cli.training.state import TrainState

CURVES = (
    Curve("speed/steps_per_second", "steps/s", "higher", "steps a second", chart=("Speed", "steps per second")),
    Curve(
        "speed/images_per_second",
        "images/s",
        "higher",
        "real samples that the critic read a second",
        chart=("Speed", "images per second"),
    ),
)
CHECK_STEPS = 50  # between two checks of the numbers where a check makes the device wait


class StopOnNonFinite:
    """Stops the run at the step where a loss, gradient norm or weight norm became NaN or infinite.

    Args:
        every_steps: how often the device is asked; 1 where asking costs nothing. The step that is named, and the
            promise that nothing is saved after it, do not depend on it.
    """

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self._pending: list[tuple[int, Logs]] = []

    @classmethod
    def every(cls, log_steps: int, device: torch.device) -> StopOnNonFinite:
        """Return one that looks as often as a device can bear, at least once a log row."""
        return cls(min(log_steps, CHECK_STEPS) if device.type == "cuda" else 1)

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Keep the step's values, and check what was kept when it is due."""
        self._pending += [(state.step, log) for log in logs]
        if state.step % self.every_steps == 0 or state.step == state.total_steps:
            self.look()

    def look(self) -> None:
        """Check every value that has not been checked yet.

        Raises:
            NonFiniteError: one is NaN or infinite.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        values = torch.stack([value.float() for _, log in pending for value in log.values()])
        if bool(values.isfinite().all()):
            return
        names = [(step, tag) for step, log in pending for tag in log]
        for (step, tag), value in zip(names, values.tolist(), strict=True):
            if not np.isfinite(value):
                raise NonFiniteError(
                    f"{tag} became {value} at step {step}: a smaller optimizer.lr, or runtime.precision=fp32 where it "
                    f"was bf16, is the likely fix"
                )


class Curves:
    """Writes one row a log interval: means over every update since the last row, and the probes.

    A last interval cut short by the end of the run gets a row too; the checkpoint keeps its open window, so a run that
    is continued later writes the row it would have written anyway.

    Args:
        every_steps: steps a row.
        images_per_phase: images of a real batch, for the speed.
        probes: each adds to the row.
        write: takes a step, its row, and its times and speeds.
        progress: takes every step.
    """

    def __init__(
        self,
        every_steps: int,
        images_per_phase: int,
        probes: Sequence[Callable[[TrainState, Row], Row]],
        write: Callable[[int, Row, Row], None],
        progress: Callable[[int], None],
    ) -> None:
        self.every_steps = every_steps
        self.images_per_phase = images_per_phase
        self.probes = list(probes)
        self._save_row, self._progress = write, progress
        self.averages = Averages()
        self.last: Row = {}
        self._began = self._window_began = time.perf_counter()
        self._window_steps = self._window_images = 0

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Add a step; write a row when it is time."""
        if not logs:
            self._real_batches = state.real_batches
            return
        for log in logs:
            self.averages.add(log)
        self._window_steps += 1
        self._window_images += self.images_per_phase * (state.real_batches - self._real_batches)
        self._real_batches = state.real_batches
        if state.step % self.every_steps == 0:
            self._write(state)
            self.averages.clear()
        elif state.step == state.total_steps:
            self._write(state)
        self._progress(state.step)

    def _write(self, state: TrainState) -> None:
        row = self.averages.read()
        for probe in self.probes:
            row |= probe(state, row)
        self._save_row(state.step, row, self._timing())
        self.last = row

    def _timing(self) -> Row:
        """Return the seconds since the session began and the speeds since the last row, and begin a new window."""
        now = time.perf_counter()
        seconds = now - self._window_began
        timing = {
            "wall_seconds": now - self._began,
            "steps_per_second": self._window_steps / seconds,
            "images_per_second": self._window_images / seconds,
        }
        self._window_began, self._window_steps, self._window_images = now, 0, 0
        return timing


class Saver(Protocol):
    """Writes checkpoints, perhaps behind the training."""

    def collect(self) -> None:
        """Report what came of a write behind the training, if it is done; never waits."""

    def wait(self) -> None:
        """Return once no write is under way."""


class Checkpoints:
    """Saves the run every so many steps or seconds, at milestones, where a curve is best, and at its end.

    Args:
        save: takes the state as it is; the checkpoint may be written behind the training.
        saver: writes it.
        every_steps: None: not by steps.
        every_seconds: None: not by time.
        milestone_every_steps: None: there are no milestones.
        best: watches the curve; None: none is watched.
    """

    def __init__(
        self,
        save: Callable[[TrainState], None],
        saver: Saver,
        every_steps: int | None,
        every_seconds: float | None,
        milestone_every_steps: int | None = None,
        best: Best | None = None,
    ) -> None:
        self._save = save
        self.saver = saver
        self.every_steps = every_steps
        self.every_seconds = every_seconds
        self.milestone_every_steps = milestone_every_steps
        self.best = best
        self.saved_step: int | None = None
        self._saved_at = time.monotonic()

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Save when it is time.

        Raises:
            OSError: a checkpoint could not be written; an earlier one that was written behind the training, too.
        """
        if self.best:
            self.best(state, logs)
        if not logs:
            self.saved_step = state.step or None  # a resumed run begins at a checkpoint
            return
        self.saver.collect()
        by_steps = any(every and state.step % every == 0 for every in (self.every_steps, self.milestone_every_steps))
        by_time = self.every_seconds and time.monotonic() - self._saved_at >= self.every_seconds
        by_value = self.best and self.best.step == state.step
        if state.step == state.total_steps:
            self.save_and_wait(state)
        elif by_steps or by_time or by_value:
            self.save(state)

    def save(self, state: TrainState) -> None:
        """Save now, unless this step is saved already."""
        if self.saved_step != state.step:
            self._save(state)
            self.saved_step, self._saved_at = state.step, time.monotonic()

    def save_and_wait(self, state: TrainState) -> None:
        """Save as `save` does, and return once the checkpoint is on the disk."""
        self.save(state)
        self.saver.wait()


class StopOnSignal:
    """On a signal, lets the step finish, saves, and ends the run; a second signal ends it at once.

    A context manager: the handlers are in place inside it.

    Args:
        save: writes a checkpoint of the state, if this step has none, and returns once it is on the disk.
        run: the run's directory, for the message.
        agreed: where several processes train, returns the largest number that one of them gives, in each of them; then
            they stop after the same step, and a second signal, which their launcher sends after its own, changes
            nothing. None: this process is alone.
        stops: the signals.
    """

    def __init__(
        self,
        save: Callable[[TrainState], None],
        run: str,
        agreed: Callable[[int], int] | None = None,
        stops: Stops = OF_A_COMMAND,
    ) -> None:
        self.save = save
        self.run = run
        self.agreed = agreed
        self.stops = stops
        self.received: int | None = None

    def __enter__(self) -> StopOnSignal:
        """Install the handlers."""
        self._before = handled(self.stops, self._receive)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Put the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for other in () if self.agreed else self._before:
            signal.signal(other, after_the_first(other, self.stops))

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Stop if a signal came.

        Raises:
            Interrupted: after saving.
        """
        number = self.received
        if self.agreed:  # what arrives while the others are waited for is passed on after the next step
            number = self.agreed(number or 0)
        if not number or state.step == state.total_steps:
            return  # the run is finished; `check` reports the signal afterwards
        if logs:
            self.save(state)
        name = signal.Signals(number).name
        raise Interrupted(
            f"{name}: stopped after step {state.step}; `{shell_line('gan', 'resume', self.run)}` continues it", number
        )

    def check(self) -> None:
        """Pass on a signal that came in the last step, so that a sweep ends as it asks.

        Raises:
            Interrupted: the run itself is finished.
        """
        if self.received is not None:
            raise Interrupted(f"{signal.Signals(self.received).name}: {self.run} had finished", self.received)
