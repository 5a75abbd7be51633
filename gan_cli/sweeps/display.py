"""Where a sweep stands, on stderr: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text
from tqdm import tqdm

from gan_cli.runs.reading import Standing, standing
from gan_cli.session.progress import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH
from gan_cli.sweeps.record import Job

TABLE_SECONDS = 0.5  # between two drawings
_URGENT = ("running", "failed", "interrupted", "waiting", "finished", "pruned")  # what is shown where not all jobs fit


class Display:
    """Shows a command's jobs as they change; inside `with`, as a table where the stream is a terminal."""

    def __init__(self, jobs: Sequence[Job], stream: TextIO | None = None) -> None:
        self._jobs = list(jobs)
        self._stream = sys.stderr if stream is None else stream
        self._console = Console(file=self._stream, markup=False, emoji=False, highlight=False)
        self._live: Live | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._next = time.monotonic() + self._pause

    def __enter__(self) -> Display:
        """Begin the table."""
        if self._stream.isatty():
            shown = {"console": self._console, "get_renderable": self._table}
            self._live = Live(**shown, auto_refresh=False, redirect_stdout=False)
            self._live.start(refresh=True)
            self._next = time.monotonic() + TABLE_SECONDS
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._live:
            self._live.stop()

    def note(self, text: str) -> None:
        """Print a line of its own, above the table."""
        if self._live:
            self._console.print(text, soft_wrap=True)
            return
        with contextlib.suppress(BrokenPipeError):
            print(text, file=self._stream, flush=True)

    def event(self, job: Job, text: str) -> None:
        """Show at once what happened to a job."""
        if job.state == "finished" and (where := standing(Path(job.run_dir))).tag:
            text += f", step {where.step}/{job.total_steps}, {_value(where)}"
        self.note(f"{self._title(job)}: {text}")

    def update(self) -> None:
        """Show how far the jobs are, if enough time has passed since the last time."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._live:
            self._live.refresh()
            self._next = now + TABLE_SECONDS
            return
        self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
        self._next = now + self._pause
        for job, where in self._running():
            steps, value = f"step {where.step}/{job.total_steps}", _value(where) or "no row yet"
            self.note(f"{self._title(job)}: {steps}, {value}, {_left(job, where)} left")
        self.note(self._summary())

    def _title(self, job: Job) -> str:
        return f"job {self._jobs.index(job) + 1} of {len(self._jobs)} ({job.label or job.name})"

    def _running(self) -> list[tuple[Job, Standing]]:
        return [(job, standing(Path(job.run_dir))) for job in self._jobs if job.state == "running"]

    def _table(self) -> Group:
        room = max(3, self._console.height - 4)
        numbered = sorted(enumerate(self._jobs), key=lambda pair: _URGENT.index(pair[1].state))
        heads = ("job", "state", "step", "estimate", "left")
        table = Table(*(Column(head, no_wrap=True) for head in heads), "overrides", box=None, pad_edge=False)
        for i, job in sorted(numbered[:room], key=lambda pair: pair[0]):
            where = standing(Path(job.run_dir)) if job.state != "waiting" else Standing()
            value = _value(where).removeprefix("critic/") or "-"
            left = _left(job, where) if job.state == "running" else ""
            label = Text(job.label or job.name, no_wrap=True, overflow="ellipsis")
            table.add_row(str(i + 1), job.state, f"{where.step}/{job.total_steps}", value, left, label)
        hidden = len(self._jobs) - room
        more = f"; {hidden} more jobs not shown" if hidden > 0 else ""
        return Group(table, Text(self._summary() + more, no_wrap=True, overflow="ellipsis"))

    def _summary(self) -> str:
        counts = {state: sum(job.state == state for job in self._jobs) for state in _URGENT}
        shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        running = self._running()
        rate = sum(where.steps_per_second for _, where in running)
        rest = sum(job.total_steps - where.step for job, where in running)
        rest += sum(job.total_steps for job in self._jobs if job.state == "waiting")
        return shown + (f"; {tqdm.format_interval(rest / rate)} left" if rate and rest else "")


def _value(where: Standing) -> str:
    return f"{where.tag} {where.value:.4g}" if where.tag else ""


def _left(job: Job, where: Standing) -> str:
    rest = job.total_steps - where.step
    return tqdm.format_interval(rest / where.steps_per_second) if where.steps_per_second else "?"
