"""`gan train -m`: the jobs of a grid, each in a process of its own, in a directory that the same command continues."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_cli import hardware
from gan_cli.sweeping import plan, process, record
from gan_cli.sweeping.display import Display
from gan_cli.sweeping.plan import Cell
from gan_cli.sweeping.pool import Pool, exit_code
from gan_cli.sweeping.record import RECORD, Folder, Job, Record


def run(cells: Sequence[Cell], sweep: Mapping[str, Any], flags: Sequence[str]) -> int:
    """Run a sweep and return its exit code.

    Args:
        cells: overrides and validated settings of each.
        sweep: the config's block of that name.
        flags: see `process.arguments`.

    Raises:
        UserError: a directory that is something else, or in use.
    """
    gpus = process.gpus()
    at_once = max(1, len(gpus)) if sweep["jobs"] == "auto" else int(sweep["jobs"])
    threads = max(1, hardware.available_threads() // at_once)
    path = plan.folder_for(sweep["name"], [overrides for overrides, _ in cells])
    record.read(path)  # refused before anything is written
    folder = Folder(path)
    try:
        before = record.read(path)
        jobs = plan.jobs_of(cells, path, before, threads)
        places = [gpus[i % len(gpus)] if gpus else None for i in range(at_once)]
        return _run(folder, before, jobs, places, flags)
    finally:
        folder.close()


def _run(folder: Folder, before: Record | None, jobs: list[Job], places: list[str | None], flags: Sequence[str]) -> int:
    now = Record(status="running", exit_code=None, command=sys.argv, jobs=_merged(before, jobs))
    display = Display(jobs)
    display.note(f"{folder.path}: {_plan(jobs, places)}")
    folder.write(now)
    pool = Pool(jobs, places, flags, process.start, display, lambda: folder.write(now))
    received = pool.run()
    display.close()
    now.exit_code = exit_code(jobs, received)
    finished = all(job.state == "finished" for job in jobs)
    now.status = "finished" if finished else "failed" if received is None else "interrupted"
    folder.write(now)
    _tell_end(folder.path, jobs)
    return now.exit_code


def _merged(before: Record | None, jobs: list[Job]) -> list[Job]:
    """Return the jobs of this grid behind those of earlier ones that it leaves out."""
    mine = {job.identity for job in jobs}
    others = [job for job in before.jobs if job.identity not in mine] if before else []
    for job in others:
        job.state = "interrupted" if job.state == "running" else job.state
    return [*others, *jobs]


def _plan(jobs: Sequence[Job], places: Sequence[str | None]) -> str:
    todo = [job for job in jobs if job.state == "waiting"]
    facts = [f"{len(jobs)} job{'s' * (len(jobs) != 1)}", f"{len(places)} at once"]
    if done := len(jobs) - len(todo):
        facts.append(f"{done} finished before")
    if again := sum(bool(job.attempts) for job in todo):
        facts.append(f"{again} to go on with")
    if gpus := {place for place in places if place is not None}:
        facts.append(f"on {len(gpus)} GPU{'s' * (len(gpus) != 1)}")
    if threads := sorted({job.threads for job in todo if job.threads is not None}):
        facts.append(f"{' or '.join(map(str, threads))} thread{'s' * (threads != [1])} each")
    return ", ".join(facts)


def _tell_end(path: Path, jobs: Sequence[Job]) -> None:
    states = ("finished", "failed", "interrupted", "waiting")
    counts = [f"{n} {state}" for state in states if (n := sum(job.state == state for job in jobs))]
    print(f"{path}: {', '.join(counts)}; {path / RECORD} says how each ended", flush=True)
