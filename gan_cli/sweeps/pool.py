"""Runs jobs in processes, some at once, until all have ended or a signal asks to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol

from gan_cli.core.files import is_held
from gan_cli.sweeps import process
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.plan import is_finished
from gan_cli.sweeps.process import Process, Start
from gan_cli.sweeps.record import Job

PAUSE_SECONDS = 0.05
ENDED = ("finished", "pruned")  # there is nothing left to do
_FINISHED_WITH_FAILURES = 3


class Guide(Protocol):
    """What decides about the jobs of a search while it runs; a grid has none."""

    def choose(self, job: Job) -> None:
        """Give a job that is about to start its overrides."""

    def look(self, job: Job) -> str:
        """Return why a running job should end now, or ''."""

    def ended(self, job: Job) -> None:
        """Take note of how a job ended."""


@dataclass
class _Running:
    job: Job
    process: Process
    place: str | None
    began: float
    log_begin: int
    pruned: str = ""
    told: bool = False  # by a signal


class Pool:
    """The jobs of one command.

    Args:
        jobs: those to run are `waiting`.
        places: one for each job at once: the GPU that it gets there, or None.
        flags: see `process.arguments`.
        start: starts a process.
        display: is told of every change, and as time passes.
        save: writes sweep.json.
        guide: of a search.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        places: Sequence[str | None],
        flags: Sequence[str],
        start: Start,
        display: Display,
        save: Callable[[], None],
        guide: Guide | None = None,
    ) -> None:
        self._guide = guide
        self._waiting = [job for job in jobs if job.state == "waiting"]
        self._free = list(places)
        self._flags, self._start, self._display, self._save = flags, start, display, save
        self._running: list[_Running] = []
        self._waits_for: set[str] = set()
        self._stop = Stop(self._signal)

    def run(self) -> int | None:
        """Run every job to its end.

        Returns:
            the signal that stopped the sweep; None: every job was run.
        """
        with self._stop as stop:
            try:
                while self._running or (self._waiting and stop.received is None):
                    if self._collect(stop.received is not None):
                        self._save()
                    if stop.received is None:
                        self._prune()
                        self._fill()
                    self._display.update()
                    time.sleep(PAUSE_SECONDS)
            finally:
                self._signal(signal.SIGTERM)  # after an error here
        return stop.received

    def _fill(self) -> None:
        while self._free and self._stop.received is None and (job := self._next()) is not None:
            self._waiting.remove(job)
            place = self._free.pop(0)
            self._begin(job, place)

    def _next(self) -> Job | None:
        """Return the next job whose directory is free: a process of an earlier sweep may still be saving there."""
        for job in self._waiting:
            if not is_held(Path(job.run_dir)):
                return job
            if job.name not in self._waits_for:
                self._waits_for.add(job.name)
                self._display.event(job, f"waits: {job.run_dir} is in use by another process")
        return None

    def _prune(self) -> None:
        """Stop the jobs that the search sees no use in; each saves, and may be resumed by hand."""
        for one in self._running if self._guide else []:
            if not one.pruned and (why := self._guide.look(one.job)):
                one.pruned = why
                self._send(one, signal.SIGTERM)

    def _begin(self, job: Job, place: str | None) -> None:
        if self._guide:
            self._guide.choose(job)
        job.state, job.exit_code, job.reason = "running", None, ""
        job.attempts += 1
        job.gpu = place if job.any_gpu else None
        self._save()  # before there is a process: it is known as the sweep's whatever happens
        argv = process.arguments(job, self._flags)
        log_begin = process.begin_log(job, argv)
        started = self._start(argv, Path(job.log), process.environment(job))
        one = _Running(job, started, place, time.monotonic(), log_begin)
        self._running.append(one)
        if self._stop.received is not None and not one.told:  # it came while the process was being started
            self._send(one, signal.SIGTERM)
        self._display.event(job, "started" if job.attempts == 1 else "goes on")

    def _collect(self, stopping: bool) -> bool:
        ended = [(one, code) for one in self._running if (code := one.process.poll()) is not None]
        for one, code in ended:
            self._running.remove(one)
            self._free.append(one.place)
            job = one.job
            job.seconds = round(job.seconds + time.monotonic() - one.began, 3)
            job.exit_code = code
            job.reason = process.reason(code, Path(job.log), one.log_begin) if code else ""
            job.state = end_state(job, stopping)
            if job.state == "interrupted" and one.pruned:
                job.state, job.reason = "pruned", one.pruned
            if self._guide:
                self._guide.ended(job)
            self._display.event(job, _told(job))
        return bool(ended)

    def _signal(self, number: int) -> None:
        for one in self._running:
            self._send(one, number)

    def _send(self, one: _Running, number: int) -> None:
        one.told = True
        if one.process.poll() is None:
            os.kill(one.process.pid, number)


def end_state(job: Job, stopping: bool) -> str:
    """Return what a job has become, by its exit code and its run.

    Args:
        job: its process has ended.
        stopping: the whole sweep had been asked to stop.
    """
    code = job.exit_code or 0
    if code in (0, _FINISHED_WITH_FAILURES) or is_finished(job):
        return "finished"
    stopped = code - 128 in process.STOPS or -code in process.STOPS
    return "interrupted" if stopped or (stopping and code < 0) else "failed"


def exit_code(jobs: Sequence[Job], received: int | None) -> int:
    """Return the sweep's exit code: 128 + the signal that stopped it, or the code of the first job that went wrong.

    A job that a signal ended counts as 1, and one that finished with failures beside the training after all others.
    """
    if received is not None:
        return 128 + received
    bad = [job for job in jobs if job.state not in ENDED] + [job for job in jobs if job.state == "finished"]
    codes = [job.exit_code if 0 <= (job.exit_code or 0) < 128 else 1 for job in bad]
    return next((code for code in codes if code), 0)


def _told(job: Job) -> str:
    if job.state == "failed":
        return f"failed: {job.reason}; log: {job.log}"
    return f"{job.state}: {job.reason}" if job.reason else job.state


class Stop:
    """Passes the first SIGINT, SIGTERM or SIGUSR1 on to the jobs, which save and stop; a second ends them at once.

    Args:
        send: sends a signal to every job that runs.
    """

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self.received: int | None = None

    def __enter__(self) -> Stop:
        """Install the handlers."""
        self._before = {number: signal.signal(number, self._receive) for number in process.STOPS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Put the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received is not None, self.received or number
        self._send(signal.SIGKILL if again else signal.SIGTERM)  # a process that has no handler yet may ignore SIGINT
