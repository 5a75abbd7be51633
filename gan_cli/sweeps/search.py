"""A search: Optuna chooses the values of jobs as they start, and ends some early by their rows."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Mapping
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from gan_cli.config.identity import identifying
from gan_cli.config.schema import RunConfig, Search
from gan_cli.core.text import did_you_mean, one_line
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import METRICS, rows_from_end
from gan_cli.sweeps.cells import is_about_sweep
from gan_cli.sweeps.jobs import digest, set_resources
from gan_cli.sweeps.record import STUDY, Folder, Job
from gan_cli.sweeps.space import Space

_JOB = "job"  # a trial's attribute: the name of its job
_WARMUP = 4  # of train.steps, one part in so many


class Chooser:
    """Chooses the values of jobs, follows their rows, and reports to Optuna how they ended.

    The study alone says which values a job has and whether they are done with, so a kill leaves nothing to settle.

    Args:
        folder: the sweep's.
        space: what may be chosen.
        config: of any trial.
        at_once: jobs that run at the same time.
        threads: for each job that leaves them to us.

    Attributes:
        jobs: one for each trial; those of earlier commands keep their values, directory and past.

    Raises:
        UserError: the file of the study is another one.
    """

    def __init__(self, folder: Folder, space: Space, config: RunConfig, at_once: int, threads: int) -> None:
        self._asked, self._space, self._is_parallel = config.sweep.search, space, at_once > 1
        self._study = study(folder.path, self._asked, config.train.steps)
        self._open: dict[str, tuple[optuna.trial.Trial, int]] = {}  # of the jobs that run, with the last step looked at
        before = {job.name: job for job in folder.before}
        names = [f"trial-{i:03d}" for i in range(self._asked.n_trials)]
        self.jobs = [before.get(name) or folder.new_job(name, name) for name in names]
        noted = {job.trial: job.name for job in folder.before}  # by an earlier version
        self._last: dict[str, optuna.trial.FrozenTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if name := trial.user_attrs.get(_JOB) or noted.get(trial.number):
                self._last[name] = trial
            elif trial.state == TrialState.RUNNING:  # a kill caught it before there was a job for it
                self._study.tell(trial.number, state=TrialState.FAIL)
        ended = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned"}
        for job in self.jobs:
            set_resources(job, config.runtime, threads)
            job.total_steps, job.state = config.train.steps, "waiting"
            if trial := self._last.get(job.name):
                job.state = ended.get(trial.state, "waiting")
                self._give(job, trial.params)

    def choose(self, job: Job) -> None:
        """Give a job its values, unless it is to go on with those that it has."""
        last = self._last.get(job.name)
        if last is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of samplers that Optuna calls experimental
                self._study.sampler = sampler(self._asked, self.jobs.index(job), self._is_parallel)
                trial = self._study.ask({axis.key: axis.values for axis in self._space.axes})
            trial.set_user_attr(_JOB, job.name)
        else:
            if last.state == TrialState.FAIL:
                again = {"params": last.params, "distributions": last.distributions, "user_attrs": {_JOB: job.name}}
                self._study.add_trial(optuna.create_trial(state=TrialState.RUNNING, **again))
                last = self._study.get_trials(deepcopy=False)[-1]
            trial = optuna.trial.Trial(self._study, last._trial_id)
        self._last[job.name] = last = self._study.get_trials(deepcopy=False)[trial.number]
        self._open[job.name] = trial, max(last.intermediate_values, default=0)
        self._give(job, last.params)

    def look(self, job: Job) -> str:
        """Report a job's new rows to Optuna; return why it should end, or ''."""
        why, metric, (trial, step) = "", self._asked.metric, self._open[job.name]
        new = list(takewhile(lambda row: row["step"] > step, rows_from_end(Path(job.run_dir) / METRICS)))
        for row in (row for row in reversed(new) if metric in row):
            trial.report(row[metric], int(row["step"]))
            if not why and trial.should_prune():
                why = f"{metric} {row[metric]:.4g} at step {row['step']}: so far worse than the median of the trials"
        self._open[job.name] = trial, new[0]["step"] if new else step
        return why

    def ended(self, job: Job) -> None:
        """Report to Optuna how a job ended; one that was interrupted continues later.

        Raises:
            UserError: it finished, and none of its rows has the tag.
        """
        self.look(job)
        (trial, _), path, metric = self._open.pop(job.name), Path(job.run_dir) / METRICS, self._asked.metric
        value = None
        if job.state == "finished":
            value = next((row[metric] for row in rows_from_end(path) if metric in row), None)
            if value is None:
                known = {tag for row in rows_from_end(path) for tag in row}
                raise UserError(
                    f"sweep.search.metric={metric}: no row of {job.run_dir} has it{did_you_mean(metric, known)}; a "
                    "search for another metric needs another sweep.name"
                )
        if value is not None and math.isfinite(value):
            self._study.tell(trial, value)
        elif job.state == "pruned":
            _mark(Path(job.run_dir), job.reason)
            self._study.tell(trial, state=TrialState.PRUNED)
        elif job.state in ("finished", "failed"):
            self._study.tell(trial, state=TrialState.FAIL)

    def best(self) -> str:
        """Return in one line what is best so far; '' before a trial has finished."""
        with suppress(ValueError):
            trial = self._study.best_trial
            job = next(job for job in self.jobs if self._last[job.name].number == trial.number)
            return f"best: {self._asked.metric} {trial.value:.4g}, {job.run_dir} ({job.label})"
        return ""

    def _give(self, job: Job, values: Mapping[str, Any]) -> None:
        fixed = [override for override in self._space.fixed if not is_about_sweep(override)]
        job.overrides = [*fixed, *(f"{axis.key}={values[axis.key]}" for axis in self._space.axes)]
        job.label = " ".join(f"{k}={f'{v:.4g}' if isinstance(v, float) else v}" for k, v in values.items())
        job.total_steps = int(values.get("train.steps", job.total_steps))


def study(folder: Path, search: Search, steps: int) -> optuna.Study:
    """Open the study of a sweep's directory, in a file that a killed process leaves whole.

    Args:
        folder: held by this process alone.
        search: of the config.
        steps: of a trial.

    Raises:
        UserError: the file cannot be read.
    """
    path = folder / STUDY
    with suppress(FileNotFoundError):  # what a kill left: half a line, behind which Optuna would write, and its lock
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        os.unlink(f"{path}.lock")
    pruner = optuna.pruners.NopPruner()
    if search.pruner == "median":
        warmup = steps // _WARMUP if search.warmup_steps == "auto" else search.warmup_steps
        pruner = optuna.pruners.MedianPruner(search.startup_trials, warmup)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        about = {"study_name": folder.name, "direction": search.direction}
        return optuna.create_study(storage=storage, pruner=pruner, load_if_exists=True, **about)
    except Exception as error:  # a file that somebody else has written into
        raise UserError(
            f"{path} is not a study of Optuna's ({one_line(error)[:200]}): choose another sweep.name"
        ) from error


def sampler(search: Search, number: int, parallel: bool) -> optuna.samplers.BaseSampler:
    """Return what draws a trial's values from those of the trials before it.

    Args:
        search: of the config.
        number: of the job, which seeds the draw: a search that was stopped and continues draws what it would have
            drawn.
        parallel: other trials run at the same time.
    """
    seed = int.from_bytes(hashlib.sha256(f"{search.seed} {number}".encode()).digest()[:4], "big")
    if search.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.startup_trials, constant_liar=parallel)
    if search.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=max(1, search.startup_trials))
    return optuna.samplers.RandomSampler(seed=seed)


def identity(space: Space, config: RunConfig) -> dict[str, Any]:
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
        "other settings": digest(identifying(config))[:16],
    }


def _mark(run: Path, reason: str) -> None:
    """Mark a stopped run as pruned in its run.json."""
    if reading.status(run).get("status") == "interrupted":
        with suppress(UserError), closing(RunDirectory(run)) as directory:
            directory.write_status("pruned", reason=reason)
