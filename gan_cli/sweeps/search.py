"""A search: jobs whose values are chosen as they start, and that may be ended early by their rows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from gan_cli.config.identity import identifying
from gan_cli.config.schema import RunConfig
from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.directory import RunDirectory
from gan_cli.sweeps.jobs import digest, is_finished, set_resources
from gan_cli.sweeps.record import Job, Record, new_job
from gan_cli.sweeps.rows import NewRows
from gan_cli.sweeps.space import Space
from gan_cli.sweeps.study import Study, TrialState


class Search:
    """Chooses the values of jobs, follows their rows, and reports to Optuna how they ended.

    Args:
        study: Optuna's part.
        space: what may be chosen.
        metric: the tag that is looked at.
        jobs: of the search; what earlier processes left of them is settled here.

    Raises:
        UserError: a finished run has no such tag.
    """

    def __init__(self, study: Study, space: Space, metric: str, jobs: Sequence[Job]) -> None:
        self._study, self._space, self._metric = study, space, metric
        self._jobs = list(jobs)
        self._rows = {job.name: NewRows(Path(job.run_dir)) for job in jobs}
        begun = [job for job in jobs if job.trial is not None]
        study.forget({job.trial for job in begun})
        for job in begun:
            self._settle(job)

    def choose(self, job: Job) -> None:
        """Give a job its values, unless it is to go on with those that it has."""
        known = None if job.trial is None else self._study.trial(job.trial)
        if known is None or known.state == TrialState.FAIL:
            job.trial, values = self._study.ask(self._jobs.index(job), known.params if known else None)
            job.overrides = [*self._space.fixed, *(f"{axis.key}={values[axis.key]}" for axis in self._space.axes)]
            job.label = " ".join(f"{k}={f'{v:.4g}' if isinstance(v, float) else v}" for k, v in values.items())
            job.total_steps = int(values.get("train.steps", job.total_steps))

    def look(self, job: Job) -> str:
        """Report a job's new rows to Optuna; return why it should end, or ''."""
        for step, value in self._values(self._rows[job.name]):
            self._study.report(job.trial, step, value)
            if self._study.should_prune(job.trial):
                return f"{self._metric} {value:.4g} at step {step}: so far worse than the median of the trials"
        return ""

    def ended(self, job: Job) -> None:
        """Report to Optuna how a job ended; one that was interrupted continues later.

        Raises:
            UserError: it finished, and none of its rows has the tag.
        """
        for step, value in self._values(self._rows[job.name]):
            self._study.report(job.trial, step, value)
        if job.state == "finished":
            value = self._final_value(job)
            known = math.isfinite(value)
            self._study.end(job.trial, TrialState.COMPLETE if known else TrialState.FAIL, value if known else None)
        elif job.state == "pruned":
            self._study.end(job.trial, TrialState.PRUNED)
            _mark(Path(job.run_dir), job.reason)
        elif job.state == "failed":
            self._study.end(job.trial, TrialState.FAIL)

    def best(self) -> str:
        """Return in one line what is best so far; '' before a trial has finished."""
        trial = self._study.best()
        job = next((job for job in self._jobs if trial is not None and job.trial == trial.number), None)
        return f"best: {self._metric} {trial.value:.4g}, {job.run_dir} ({job.label})" if job else ""

    def _settle(self, job: Job) -> None:
        """Bring a job and its trial to one state: a kill may have come between telling one and telling the other."""
        trial = self._study.trial(job.trial)
        if trial is None:  # the file of the study is gone
            job.trial = None
        elif trial.state == TrialState.COMPLETE:
            job.state = "finished"
        elif trial.state == TrialState.PRUNED or job.state == "pruned":
            job.state = "pruned"
            self.ended(job)
        elif trial.state == TrialState.RUNNING and is_finished(job):
            job.state = "finished"
            self.ended(job)
        else:
            job.state = "waiting"

    def _values(self, rows: NewRows) -> list[tuple[int, float]]:
        return [(int(row["step"]), row[self._metric]) for row in rows.read() if self._metric in row]

    def _final_value(self, job: Job) -> float:
        rows = NewRows(Path(job.run_dir)).read()
        values = [row[self._metric] for row in rows if self._metric in row]
        if not values:
            tags = {tag for row in rows for tag in row if tag != "step"}
            raise UserError(
                f"sweep.search.metric={self._metric}: no row of {job.run_dir} has it"
                f"{did_you_mean(self._metric, tags)}; a search for another metric needs another sweep.name"
            )
        return values[-1]


def trials(folder: Path, before: Record | None, config: RunConfig, threads: int) -> list[Job]:
    """Return the jobs of a search; those of earlier commands keep their values, directory and past.

    Args:
        folder: the sweep's.
        before: what its sweep.json says.
        config: of any trial.
        threads: for each job that leaves them to us.
    """
    known = {job.name: job for job in before.jobs} if before else {}
    names = [f"trial-{i:03d}" for i in range(config.sweep.search.n_trials)]
    jobs = [known.get(name) or new_job(folder, name, name) for name in names]
    for job in jobs:
        set_resources(job, config.runtime, threads)
        if job.trial is None:
            job.total_steps, job.state = config.train.steps, "waiting"
    return jobs


def identity_of(space: Space, config: RunConfig) -> dict[str, Any]:
    """Return what makes a search the one it is: the metric, the values to choose from, and everything else.

    Args:
        space: what may be chosen.
        config: of a trial that has every axis at its first end.
    """
    return {
        "metric": config.sweep.search.metric,
        "direction": config.sweep.search.direction,
        "train.steps": config.train.steps,
        **{axis.key: axis.text for axis in space.axes},
        "other settings": digest({key: json.dumps(value) for key, value in identifying(config).items()})[:16],
    }


def _mark(run: Path, reason: str) -> None:
    """Mark a stopped run as pruned in its run.json."""
    if reading.status(run).get("status") == "interrupted":
        with suppress(UserError), closing(RunDirectory(run)) as directory:
            directory.write_status("pruned", reason=reason)
