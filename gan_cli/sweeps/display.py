"""Where a sweep stands, on stderr: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text
from tqdm import tqdm

from gan_cli.core.text import visible
from gan_cli.runs.reading import Standing, standing
from gan_cli.session.progress import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH
from gan_cli.sweeps.record import Job

TABLE_SECONDS = 0.5  # between two drawings
STATES = ("running", "failed", "interrupted", "waiting", "finished", "pruned")  # what is shown where not all jobs fit


class Display:
    """Shows a command's jobs as they change; inside `with`, as a table where the stream is a terminal."""

    def __init__(self, jobs: Sequence[Job], stream: TextIO | None = None) -> None:
        self._jobs = list(jobs)
        self._numbers = {job.name: i for i, job in enumerate(self._jobs, 1)}
        self._stream = sys.stderr if stream is None else stream
        self._console = Console(file=self._stream, markup=False, emoji=False, highlight=False)
        shown = {"console": self._console, "get_renderable": self._table}
        is_table = self._stream.isatty()
        self._live = Live(**shown, auto_refresh=False, redirect_stdout=False) if is_table else None
        self._pause = TABLE_SECONDS if is_table else FIRST_PAUSE_SECONDS
        self._next = time.monotonic() + self._pause

    def __enter__(self) -> Display:
        """Begin the table."""
        if self._live:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._live:
            self._live.stop()

    def note(self, text: str) -> None:
        """Print a line of its own, above the table."""
        text = visible(text)
        if self._live:
            self._console.print(text, soft_wrap=True)
            return
        with contextlib.suppress(BrokenPipeError):
            print(text, file=self._stream, flush=True)

    def event(self, job: Job, text: str) -> None:
        """Show at once what happened to a job."""
        step, value, _ = _facts(job)
        if job.state == "finished" and value:
            text += f", step {step}, {value}"
        self.note(f"job {self._numbers[job.name]} of {len(self._jobs)} ({job.label or job.name}): {text}")

    def update(self) -> None:
        """Show how far the jobs are, if enough time has passed since the last time."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._live:
            self._live.refresh()
        else:
            for job in self._jobs:
                if job.state == "running":
                    step, value, left = _facts(job)
                    self.event(job, f"step {step}, {value or 'no row yet'}, {left} left")
            self.note(self._summary())
            self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
        self._next = now + self._pause

    def _table(self) -> Group:
        room = max(3, self._console.height - 4)
        numbered = sorted(enumerate(self._jobs, 1), key=lambda pair: STATES.index(pair[1].state))
        heads = ("job", "state", "step", "estimate", "left")
        table = Table(*(Column(head, no_wrap=True) for head in heads), "overrides", box=None, pad_edge=False)
        for i, job in sorted(numbered[:room], key=lambda pair: pair[0]):
            step, value, left = _facts(job)
            label = Text(job.label or job.name, no_wrap=True, overflow="ellipsis")
            table.add_row(str(i), job.state, step, value.removeprefix("critic/") or "-", left, label)
        hidden = len(self._jobs) - room
        more = f"; {hidden} more jobs not shown" if hidden > 0 else ""
        return Group(table, Text(self._summary() + more, no_wrap=True, overflow="ellipsis"))

    def _summary(self) -> str:
        running = [(job, standing(Path(job.run_dir))) for job in self._jobs if job.state == "running"]
        rate = sum(where.steps_per_second for _, where in running)
        rest = sum(job.total_steps - where.step for job, where in running)
        rest += sum(job.total_steps for job in self._jobs if job.state == "waiting")
        return counts(self._jobs) + (f"; {tqdm.format_interval(rest / rate)} left" if rate and rest else "")


def counts(jobs: Sequence[Job]) -> str:
    """Return how many jobs are in each state: '1 running, 3 finished'."""
    found = Counter(job.state for job in jobs)
    return ", ".join(f"{found[state]} {state}" for state in STATES if found[state])


def _facts(job: Job) -> tuple[str, str, str]:
    """Return a job's step, the curve that says most of it, and the time that a running one still needs."""
    where = standing(Path(job.run_dir)) if job.state != "waiting" else Standing()
    rest, rate = job.total_steps - where.step, where.steps_per_second
    left = (tqdm.format_interval(rest / rate) if rate else "?") if job.state == "running" else ""
    return f"{where.step}/{job.total_steps}", f"{where.tag} {where.value:.4g}" if where.tag else "", left
