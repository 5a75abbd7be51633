"""Optuna's part of a search: which values come next, which trial is not worth its end, and what is known so far."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_cli.config.schema import Search
from gan_cli.core.extras import pip_install
from gan_cli.core.text import one_line
from gan_cli.errors import UserError
from gan_cli.sweeps.record import STUDY
from gan_cli.sweeps.space import Axis

try:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise UserError(f"sweep=optuna: {error.name} is not installed here; {pip_install('optuna')}") from error

_WARMUP = 4  # of train.steps, one part in so many


class Study:
    """The trials of a search, in a file that a killed process leaves whole.

    Args:
        folder: the sweep's, held by this process alone.
        axes: what a trial chooses.
        search: of the config.
        steps: of a trial.
        at_once: trials that run at the same time.

    Raises:
        UserError: the file cannot be read.
    """

    def __init__(self, folder: Path, axes: Sequence[Axis], search: Search, steps: int, at_once: int = 1) -> None:
        self._search, self._at_once = search, at_once
        self._distributions = {axis.key: _distribution(axis) for axis in axes}
        path = folder / STUDY
        _cut_torn_line(path)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            self._study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(path), _AlreadyHeld())),
                study_name=folder.name,
                direction=search.direction,
                pruner=_pruner(search, steps),
                load_if_exists=True,
            )
        except Exception as error:  # a file that somebody else has written into
            raise UserError(
                f"{path} is not a study of Optuna's ({one_line(error)[:200]}): choose another sweep.name"
            ) from error

    def ask(self, index: int, again: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin a trial and return its number, and its values by their keys.

        Args:
            index: of the job; with the trials so far it decides what is drawn, so that a search which was stopped and
                continues draws what it would have drawn.
            again: values to take; None: Optuna chooses.
        """
        if again is not None:
            self._study.enqueue_trial(dict(again))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of samplers that Optuna calls experimental
            self._study.sampler = self._sampler(index)
            trial = self._study.ask(self._distributions)
        return trial.number, dict(trial.params)

    def trial(self, number: int) -> FrozenTrial | None:
        """Return what is known of a trial; None: there is none of this number."""
        trials = self._study.get_trials(deepcopy=False)
        return trials[number] if number < len(trials) else None

    def report(self, number: int, step: int, value: float) -> None:
        """Report a trial's value at a step, unless it is known already."""
        trial = self.trial(number)
        if not trial.state.is_finished() and step not in trial.intermediate_values:
            self._handle(number).report(value, step)

    def should_prune(self, number: int) -> bool:
        """Return whether the trial's last value that was reported is reason enough to end it."""
        return self._handle(number).should_prune()

    def end(self, number: int, state: TrialState, value: float | None = None) -> None:
        """Close a trial; one that is closed already is left as it is."""
        self._study.tell(number, value, state=state, skip_if_finished=True)

    def forget(self, known: set[int]) -> None:
        """Close every open trial that is not known: a kill caught it before there was a job for it."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.number not in known:
                self.end(trial.number, TrialState.FAIL)

    def best(self) -> FrozenTrial | None:
        """Return the best finished trial; None: none has finished."""
        with suppress(ValueError):
            return self._study.best_trial
        return None

    def _sampler(self, index: int) -> optuna.samplers.BaseSampler:
        digest = hashlib.sha256(f"{self._search.seed} {index}".encode()).digest()
        seed, startup = int.from_bytes(digest[:4], "big"), self._search.startup_trials
        if self._search.sampler == "tpe":
            liar = self._at_once > 1
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=liar)
        if self._search.sampler == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=max(1, startup))
        return optuna.samplers.RandomSampler(seed=seed)

    def _handle(self, number: int) -> optuna.trial.Trial:
        return optuna.trial.Trial(self._study, self.trial(number)._trial_id)


class _AlreadyHeld:
    """In the place of Optuna's lock file, which a killed process leaves behind: the sweep's directory is locked."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    if axis.choices:
        return optuna.distributions.CategoricalDistribution(axis.choices)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return optuna.distributions.IntDistribution(axis.low, axis.high, axis.log, int(axis.step or 1))
    return optuna.distributions.FloatDistribution(float(axis.low), float(axis.high), axis.log, axis.step)


def _pruner(search: Search, steps: int) -> optuna.pruners.BasePruner:
    if search.pruner == "none":
        return optuna.pruners.NopPruner()
    warmup = steps // _WARMUP if search.warmup_steps == "auto" else search.warmup_steps
    return optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials, n_warmup_steps=warmup)


def _cut_torn_line(path: Path) -> None:
    """Remove what a kill or a power cut left of a last line; Optuna would write its next one behind it."""
    with suppress(FileNotFoundError):
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
