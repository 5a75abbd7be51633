"""The study of a search as Optuna keeps it, in a file of the sweep's directory, and what draws the values."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

from gan_cli.config.schema import Search
from gan_cli.core.text import one_line
from gan_cli.errors import UserError
from gan_cli.sweeps.record import STUDY

_WARMUP = 4  # of train.steps, one part in so many


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
