"""Where a sweep stands, on stderr: a table that is drawn anew on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from gan_cli.runs.reading import Standing, standing
from gan_cli.session.progress import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH
from gan_cli.sweeps.record import Job

TABLE_SECONDS = 0.5  # between two drawings
_URGENT = ("running", "failed", "interrupted", "waiting", "finished", "pruned")  # what is shown where not all jobs fit
_HEADS = ("job", "state", "step", "estimate", "left", "overrides")
_CONTROL = "\x1b"


class Display:
    """Shows jobs as they change.

    Args:
        jobs: of this command, in order.
        stream: None: stderr.
    """

    def __init__(self, jobs: Sequence[Job], stream: TextIO | None = None) -> None:
        self._jobs = list(jobs)
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._drawn = 0  # lines of the table that is on the screen
        self._pause = TABLE_SECONDS if self._terminal else FIRST_PAUSE_SECONDS
        self._next = time.monotonic() + (0 if self._terminal else self._pause)

    def note(self, text: str) -> None:
        """Print a line of its own, above the table."""
        self._erase()
        self._print(text)

    def event(self, job: Job, text: str) -> None:
        """Tell at once what became of a job."""
        where = standing(Path(job.run_dir)) if job.state != "waiting" else Standing()
        measured = [f"step {where.step}/{job.total_steps}", _value(where)] if where.tag else []
        facts = ", ".join([text, *measured]) if job.state == "finished" else text
        self.note(f"{self._title(job)}: {facts}")

    def update(self) -> None:
        """Show how far the jobs are, where it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._terminal:
            self._erase()
            self._draw(*shutil.get_terminal_size())
        else:
            self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
            for job in self._jobs:
                if job.state == "running":
                    where = standing(Path(job.run_dir))
                    left = f"{_left(job, where)} left"
                    self._print(f"{self._title(job)}: step {where.step}/{job.total_steps}, {_value(where)}, {left}")
            self._print(self._summary())
        self._next = now + self._pause

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._terminal:
            self._erase()
            self._draw(*shutil.get_terminal_size())
            self._drawn = 0

    def _title(self, job: Job) -> str:
        return f"job {self._jobs.index(job) + 1} of {len(self._jobs)} ({job.label or job.name})"

    def _draw(self, columns: int, lines: int) -> None:
        room = max(3, lines - 4)
        chosen = sorted(self._jobs, key=lambda job: _URGENT.index(job.state))[:room]
        rows = [_HEADS]
        looked = {id(job): standing(Path(job.run_dir)) for job in self._jobs if job.state != "waiting"}
        for number, job in enumerate(self._jobs, 1):
            if any(job is one for one in chosen):
                where = looked.get(id(job), Standing())
                left = _left(job, where) if job.state == "running" else ""
                steps = f"{where.step}/{job.total_steps}"
                rows.append((str(number), job.state, steps, _value(where, short=True), left, job.label or job.name))
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        table = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        hidden = len(self._jobs) - len(chosen)
        table.append(self._summary() + (f"; {hidden} more jobs not shown" if hidden else ""))
        for line in table:
            self._print(line if len(line) < columns else line[: columns - 4] + "...")
        self._drawn = len(table)

    def _summary(self) -> str:
        counts = {state: sum(job.state == state for job in self._jobs) for state in _URGENT}
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        running = [(job, standing(Path(job.run_dir))) for job in self._jobs if job.state == "running"]
        rate = sum(where.steps_per_second for _, where in running)
        rest = sum(job.total_steps - where.step for job, where in running)
        rest += sum(job.total_steps for job in self._jobs if job.state == "waiting")
        return told + (f"; {tqdm.format_interval(rest / rate)} left" if rate and rest else "")

    def _erase(self) -> None:
        if self._drawn:
            self._write(f"{_CONTROL}[{self._drawn}A{_CONTROL}[J")
            self._drawn = 0

    def _print(self, text: str) -> None:
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(text)
            self._stream.flush()


def _value(where: Standing, short: bool = False) -> str:
    if not where.tag:
        return "-" if short else "no row yet"
    tag = where.tag.removeprefix("critic/") if short else where.tag
    return f"{tag} {where.value:.4g}"


def _left(job: Job, where: Standing) -> str:
    rest = job.total_steps - where.step
    return tqdm.format_interval(rest / where.steps_per_second) if where.steps_per_second else "?"
