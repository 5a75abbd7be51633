"""Runs jobs in processes, some at once, until all have ended or a signal asks to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.core.held import is_held
from gan_cli.core.signals import OF_A_COMMAND, Stops, handled
from gan_cli.sweeps import process
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.jobs import is_finished
from gan_cli.sweeps.record import Job

if TYPE_CHECKING:  # it needs Optuna, an extra
    from gan_cli.sweeps.search import Chooser

PAUSE_SECONDS = 0.05
ENDED = ("finished", "pruned")  # there is nothing left to do
_FINISHED_WITH_FAILURES = 3


@dataclass
class Pool:
    """The jobs of one command."""

    jobs: Sequence[Job]  # those to run are `waiting`
    flags: Sequence[str]  # see `process.start_job`
    display: Display  # shows every change, and the progress
    job_ended: Callable[[], None]  # writes it down
    chooser: Chooser | None = None  # chooses the jobs' values and ends some early; None: a grid
    stops: Stops = OF_A_COMMAND  # signals that stop the sweep

    def run(self, places: Sequence[str | None]) -> int | None:
        """Run every job to its end, or until a signal: at the first the jobs save and stop, a second ends them at once.

        Args:
            places: one for each job at once: the GPU that it gets there, or None.

        Returns:
            the signal that stopped the sweep; None: every job was run.
        """
        self._waiting = [job for job in self.jobs if job.state == "waiting"]
        self._held: set[str] = set()  # jobs that wait for another process
        self._signals: list[int] = []  # that asked to stop, in order
        handlers = handled(self.stops, lambda n, frame: self._receive(n))
        at_work = [self._work(place) for place in places]
        try:
            while at_work := [each for each in at_work if next(each, None)]:
                self.display.update()
                time.sleep(PAUSE_SECONDS)
        finally:
            for each in at_work:
                each.close()  # after an error at one place, the others stop
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self._signals[0] if self._signals else None

    def _receive(self, number: int) -> None:
        if not self._signals or number != signal.SIGHUP:  # a terminal that is closed sends it twice
            self._signals.append(number)

    def _work(self, gpu: str | None) -> Iterator[bool]:
        """Run one job after the other at one place; yields True where it waits."""
        while self._waiting and not self._signals:
            if (job := self._next()) is not None:
                yield from self._run_job(job, gpu if job.any_gpu else None)
            else:
                yield True

    def _next(self) -> Job | None:
        """Take the next job whose directory is free: a process of an earlier sweep may still be saving there."""
        for i, job in enumerate(self._waiting[:1] if self.chooser else self._waiting):  # a search draws in order
            if not is_held(Path(job.run_dir)):
                return self._waiting.pop(i)
            if job.name not in self._held:
                self._held.add(job.name)
                self.display.event(job, f"waits: {job.run_dir} is in use by another process")
        return None

    def _run_job(self, job: Job, gpu: str | None) -> Iterator[bool]:
        if self.chooser:
            self.chooser.choose(job)
        self.display.event(job, "continues" if job.started else "started")
        running = process.start_job(job, gpu, self.flags)
        job.state, job.exit_code, job.reason, job.attempts = "running", None, "", job.attempts + 1
        sent, pruned = 0, ""
        try:
            while (code := running.poll()) is None:
                for _ in self._signals[sent:]:  # SIGINT is not passed on: a process may begin by ignoring it
                    running.send_signal(signal.SIGKILL if sent else signal.SIGTERM)
                    sent += 1
                if self.chooser and not pruned and not sent and (pruned := self.chooser.look(job)):
                    running.send_signal(signal.SIGTERM)  # it saves, and may be resumed by hand
                yield True
        except BaseException:  # an error here, or at another place
            running.send_signal(signal.SIGTERM)
            raise
        job.exit_code = code
        job.state = end_state(job, bool(self._signals))
        job.reason = process.reason(code, Path(job.log)) if code else ""
        if job.state == "interrupted" and pruned:
            job.state, job.reason = "pruned", pruned
        if self.chooser:
            self.chooser.ended(job)
        self.job_ended()
        log = f"; log: {job.log}" if job.state == "failed" else ""
        self.display.event(job, f"{job.state}: {job.reason}{log}" if job.reason else job.state)


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
