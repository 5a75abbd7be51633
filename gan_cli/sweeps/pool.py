"""Runs jobs in processes, some at once, until all have ended or a signal asks to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.core.files import is_held
from gan_cli.core.signals import OF_A_COMMAND, Stops
from gan_cli.sweeps import process
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.jobs import is_finished
from gan_cli.sweeps.record import Job

if TYPE_CHECKING:  # it needs Optuna, an extra
    from gan_cli.sweeps.search import Search

PAUSE_SECONDS = 0.05
ENDED = ("finished", "pruned")  # there is nothing left to do
_FINISHED_WITH_FAILURES = 3


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    place: str | None
    log_begin: int
    pruned: str = ""

    def send(self, number: int) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)


@dataclass
class Pool:
    """The jobs of one command."""

    jobs: Sequence[Job]  # those to run are `waiting`
    places: Sequence[str | None]  # one for each job at once: the GPU that it gets there, or None
    flags: Sequence[str]  # see `process.arguments`
    start: process.Start
    display: Display  # shows every change, and the progress
    save: Callable[[], None]  # writes sweep.json
    search: Search | None = None  # chooses the jobs' values and ends some early; None: a grid
    stops: Stops = OF_A_COMMAND  # signals that stop the sweep

    def __post_init__(self) -> None:
        self._waiting = [job for job in self.jobs if job.state == "waiting"]
        self._free = list(self.places)
        self._running: list[_Running] = []
        self._held: set[str] = set()  # jobs that wait for another process
        self._signals: list[int] = []  # that asked to stop, in order

    def run(self) -> int | None:
        """Run every job to its end, or until a signal: at the first the jobs save and stop, a second ends them at once.

        Returns:
            the signal that stopped the sweep; None: every job was run.
        """
        handlers = {n: signal.signal(n, lambda n, frame: self._signals.append(n)) for n in self.stops.numbers}
        sent = 0
        try:
            while self._running or (self._waiting and not self._signals):
                while sent < len(self._signals):  # SIGINT is not passed on: a process may begin by ignoring it
                    self._send(signal.SIGKILL if sent else signal.SIGTERM)
                    sent += 1
                self._collect()
                if not self._signals:
                    self._prune()
                    self._fill()
                self.display.update()
                time.sleep(PAUSE_SECONDS)
        finally:
            self._send(signal.SIGTERM)  # after an error here
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self._signals[0] if self._signals else None

    def _send(self, number: int) -> None:
        for one in self._running:
            one.send(number)

    def _fill(self) -> None:
        while self._free and not self._signals and (job := self._next()) is not None:
            self._waiting.remove(job)
            self._begin(job, self._free.pop(0))

    def _next(self) -> Job | None:
        """Return the next job whose directory is free: a process of an earlier sweep may still be saving there."""
        for job in self._waiting:
            if not is_held(Path(job.run_dir)):
                return job
            if job.name not in self._held:
                self._held.add(job.name)
                self.display.event(job, f"waits: {job.run_dir} is in use by another process")
        return None

    def _prune(self) -> None:
        """Stop the jobs that the search sees no use in; each saves, and may be resumed by hand."""
        for one in self._running if self.search else []:
            if not one.pruned and (why := self.search.look(one.job)):
                one.pruned = why
                one.send(signal.SIGTERM)

    def _begin(self, job: Job, place: str | None) -> None:
        if self.search:
            self.search.choose(job)
        job.state, job.exit_code, job.reason = "running", None, ""
        job.attempts += 1
        job.gpu = place if job.any_gpu else None
        self.save()  # before there is a process: it is known as the sweep's whatever happens
        argv = process.arguments(job, self.flags)
        log_begin = process.begin_log(job, argv)
        started = self.start(argv, Path(job.log), process.environment(job))
        self._running.append(_Running(job, started, place, log_begin))
        self.display.event(job, "started" if job.attempts == 1 else "continues")

    def _collect(self) -> None:
        ended = [one for one in self._running if one.process.poll() is not None]
        for one in ended:
            self._running.remove(one)
            self._free.append(one.place)
            job = one.job
            job.exit_code = one.process.poll()
            job.reason = process.reason(job.exit_code, Path(job.log), one.log_begin) if job.exit_code else ""
            job.state = end_state(job, bool(self._signals))
            if job.state == "interrupted" and one.pruned:
                job.state, job.reason = "pruned", one.pruned
            if self.search:
                self.search.ended(job)
            log = f"; log: {job.log}" if job.state == "failed" else ""
            self.display.event(job, f"{job.state}: {job.reason}{log}" if job.reason else job.state)
        if ended:
            self.save()


def end_state(job: Job, stopping: bool) -> str:
    """Return what a job has become, by its exit code and its run.

    Args:
        job: its process has ended.
        stopping: the whole sweep had been asked to stop.
    """
    code = job.exit_code or 0
    if code in (0, _FINISHED_WITH_FAILURES) or is_finished(job):
        return "finished"
    stopped = not {code - 128, -code}.isdisjoint(OF_A_COMMAND.numbers)
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
