"""`gan train -m`: the jobs of a grid, each in a process of its own, in a directory that the same command continues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override

from gan_cli.config.schema import Config, RunConfig, Sweep
from gan_cli.core import hardware
from gan_cli.core.text import show
from gan_cli.errors import UserError
from gan_cli.sweeps import jobs as planned
from gan_cli.sweeps import process, record, space
from gan_cli.sweeps.cells import Cell, is_about_sweep, varied_keys
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.pool import ENDED, Pool, exit_code
from gan_cli.sweeps.record import RECORD, Asker, Folder, Job, Record, Swept

if TYPE_CHECKING:  # it needs Optuna, an extra
    from gan_cli.sweeps.search import Search


def grid(cells: Sequence[Cell], flags: Sequence[str], asker: Asker) -> Swept:
    """Run a grid.

    Args:
        cells: all of them, checked.
        flags: see `process.arguments`.
        asker: who asks for it.

    Raises:
        UserError: a directory that is something else, or in use.
    """
    asked: Sweep = cells[0].config.sweep
    places, threads = _machine(asked)
    path = planned.folder_for(asked.name, varied_keys([cell.overrides for cell in cells]))
    with _held(path, None) as (folder, before):
        jobs = planned.jobs_of(cells, path, before, threads)
        return _run(folder, _begun(before, jobs, None, asker), jobs, places, flags, None, asker)


def search(
    overrides: Sequence[Override], checked: Callable[[list[str]], Config], flags: Sequence[str], asker: Asker
) -> Swept:
    """Run a search, whose jobs are chosen as it goes.

    Args:
        overrides: fixed and varied.
        checked: returns the config of a trial's overrides.
        flags: see `process.arguments`.
        asker: who asks for it.

    Raises:
        UserError: a trial that cannot run, nothing to search, Optuna is not installed, or a directory that is
            something else, or in use.
    """
    about = [o.input_line for o in overrides if is_about_sweep(o.input_line)]
    found = space.space(overrides)
    config: RunConfig = space.check(found, lambda trial: checked([*about, *trial]))[0].config
    asked = config.sweep.search
    if asked.metric is None:
        raise UserError(
            "sweep=optuna: which metric? add sweep.search.metric=TAG, a tag of metrics.jsonl such as "
            "critic/wasserstein_normalised, and sweep.search.direction=maximize where more is better"
        )
    from gan_cli.sweeps.search import Search, identity_of, trials
    from gan_cli.sweeps.study import Study

    places, threads = _machine(config.sweep)
    path = planned.folder_for(config.sweep.name, [axis.key for axis in found.axes])
    identity = identity_of(found, config)
    with _held(path, identity) as (folder, before):
        jobs = trials(path, before, config, threads)
        study = Study(path, found.axes, asked, config.train.steps, len(places))
        chooser = Search(study, found, asked.metric, jobs)
        swept = _run(folder, _begun(before, jobs, identity, asker), jobs, places, flags, chooser, asker)
        best = chooser.best()
        return swept._replace(lines=[*swept.lines, best]) if best else swept


def _machine(sweep: Sweep) -> tuple[list[str | None], int]:
    """Return a place for each job at once, the GPU that it gets there or None, and the threads of each."""
    gpus = process.gpus()
    at_once = max(1, len(gpus)) if sweep.jobs == "auto" else sweep.jobs
    threads = max(1, hardware.available_threads() // at_once)
    return [gpus[i % len(gpus)] if gpus else None for i in range(at_once)], threads


@contextmanager
def _held(path: Path, identity: Mapping[str, Any] | None) -> Iterator[tuple[Folder, Record | None]]:
    """Hold a sweep's directory and return what is there; another sweep is refused."""
    record.read(path)  # refuses what is no sweep, before anything is written there
    with closing(Folder(path)) as folder:
        before = record.read(path)
        if before is not None and before.search != identity:
            raise _another(path, before.search, identity)
        yield folder, before


def _another(folder: Path, before: Mapping[str, Any] | None, identity: Mapping[str, Any] | None) -> UserError:
    """Return the error for going on with a search as another one, or with a grid as a search."""
    if before is None or identity is None:
        was, now = ("a grid", "a search") if before is None else ("a search", "a grid")
        return UserError(f"{folder} is {was}, and this is {now}: choose another sweep.name")
    key = next(key for key in {**before, **identity} if before.get(key) != identity.get(key))
    then, now = show(before.get(key)), show(identity.get(key))
    return UserError(f"{folder} is another search ({key}: {then} then, {now} now): choose another sweep.name")


def _begun(before: Record | None, jobs: list[Job], search: dict[str, Any] | None, asker: Asker) -> Record:
    """Return the record of this command: its jobs behind those of earlier commands that it leaves out."""
    mine = {job.identity for job in jobs}
    others = [job for job in before.jobs if job.identity not in mine] if before else []
    for job in others:
        job.state = "interrupted" if job.state == "running" else job.state
    return Record(status="running", exit_code=None, command=[*asker.command], jobs=[*others, *jobs], search=search)


def _run(
    folder: Folder,
    now: Record,
    jobs: list[Job],
    places: list[str | None],
    flags: Sequence[str],
    search: Search | None,
    asker: Asker,
) -> Swept:
    with Display(jobs) as display:
        display.note(f"{folder.path}: {_plan(jobs, places)}")
        folder.write(now)
        pool = Pool(jobs, places, flags, process.start, display, lambda: folder.write(now), search, asker.stops)
        try:
            received = pool.run()
        except UserError:
            now.status, now.exit_code = "failed", UserError.exit_code
            folder.write(now)
            raise
    now.exit_code = exit_code(jobs, received)
    finished = all(job.state in ENDED for job in jobs)
    now.status = "finished" if finished else "failed" if received is None else "interrupted"
    folder.write(now)
    counts = Counter(job.state for job in jobs)
    states = ("finished", "pruned", "failed", "interrupted", "waiting")
    ends = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
    line = f"{folder.path}: {ends}; {folder.path / RECORD} says how each ended"
    return Swept(now.exit_code, [line], folder.path, jobs)


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
