"""Runs a study: trains what is missing, looks at the runs, and decides the claims."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gan_cli.api.begin import train
from gan_cli.api.request import override, requested
from gan_cli.api.run import Run
from gan_cli.config import parts
from gan_cli.config.command_schemas import StudyConfig
from gan_cli.core.files import AppendFile
from gan_cli.core.places import place
from gan_cli.errors import UserError
from gan_cli.runs.directory import ROOT, slug
from gan_cli.runs.metrics_log import read_rows
from gan_cli.session.provenance import processor
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.measured import Claim, Measured, Verdict, verdict

WATCHED = "watched.jsonl"  # in a run's directory: what the study's `watch` returned after each step


class Row(NamedTuple):
    """A row of a study's table."""

    claim: Claim
    found: Measured
    verdict: Verdict


class Outcome(NamedTuple):
    """What became of a study.

    Attributes:
        name: its option.
        path: its directory.
        study: itself.
        seeds: of its runs.
        rows: its table.
        finding: its figure and numbers.
        machines: on which its runs were trained, with their versions of torch.
    """

    name: str
    path: Path
    study: Study
    seeds: Sequence[int]
    rows: Sequence[Row]
    finding: Finding
    machines: Sequence[str]


class _Cell(NamedTuple):
    name: str
    words: list[str]
    run_dir: Path


def run_study(name: str, config: StudyConfig, config_dir: str | None, note: Callable[[str], None]) -> Outcome:
    """Run a study; runs that are finished are not trained again.

    Args:
        name: its option, for its directory and for messages.
        config: checked.
        config_dir: a further directory of configs, as `--config-dir` names it.
        note: takes a line about the progress.

    Raises:
        UserError: a run that cannot be trained; nothing was written if none can.
        GanError: a run that stopped early; the same command continues it.
    """
    if config.study is None:
        raise UserError(f"study={name}: means all studies, and this call runs one; see `gan list study`")
    study: Study = parts.build(config.study, "study", Study)
    path = place(config.out, ROOT, "studies", f"{name}{'_full' if config.full else ''}")
    seeds = study.seeds(config.full) if config.seed is None else _as_list(config.seed)
    cells = [_cell(study, run, seed, path, config) for run in study.runs for seed in seeds]
    for cell in cells[:: len(seeds)]:  # another seed changes nothing of what can be wrong
        _about(cell, lambda cell=cell: requested("train", cell.words, config_dir))
    runs: dict[str, list[Run]] = {run: [] for run in study.runs}
    for i, cell in enumerate(cells, 1):
        note(f"{name}: run {i} of {len(cells)}, {cell.run_dir}")
        callbacks = [_Watch(study, cell.run_dir)] if type(study).watch is not Study.watch else []
        run = _about(
            cell,
            lambda: train(cell.words, callbacks=callbacks, config_dir=config_dir, progress=False),  # noqa: B023
            "; another out=DIR starts a new study",
        )
        runs[cell.name].append(run)
    finding = study.look(runs)
    if finding.measured.keys() != study.claims.keys():
        raise UserError(
            f"study={name}: its claims are {', '.join(study.claims)}, and its class measures "
            f"{', '.join(finding.measured)}"
        )
    rows = [Row(c, finding.measured[key], verdict(c, finding.measured[key])) for key, c in study.claims.items()]
    return Outcome(name, path, study, seeds, rows, finding, _machines(runs))


def study(
    name: str,
    *,
    full: bool = False,
    seed: int | Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    config_dir: str | Path | None = None,
    allow_targets: Sequence[str] = (),
) -> Outcome:
    """Run a study, as `gan study NAME`; of its files the runs alone are written.

    Args:
        name: see `gan list study`.
        full: the long form, nearer to the paper's settings.
        seed: seeds of the runs; None: those that the study chooses.
        overrides: further overrides of every run.
        out: a directory; None: runs/studies/NAME, and NAME_full for the long form.
        config_dir: a further directory of configs, as `--config-dir` names it.
        allow_targets: modules of your own parts.

    Raises:
        UserError: the study, or a run of it, cannot be run.
        GanError: a run stopped early; the same call continues it.
    """
    keys = {"full": full, "seed": seed, "overrides": [*overrides], "out": out, "allow_targets": [*allow_targets]}
    words = [f"study={name}", *(override(key, value) for key, value in keys.items())]
    place = None if config_dir is None else str(config_dir)
    return run_study(name, requested("study", words, place).config, place, lambda text: None)


def watched(run: Run) -> dict[str, np.ndarray]:
    """Return what a study's `watch` returned in a run: name -> values, in the order of the steps; `step` has these."""
    rows = {row["step"]: row for row in read_rows(run.path / WATCHED)}  # of a step done twice the later row counts
    ordered = [rows[step] for step in sorted(rows)]
    return {key: np.array([row[key] for row in ordered]) for key in ordered[0]}


class _Watch:
    """Appends what a study watches to a file of the run."""

    changes_training = True  # it reads the live state, which costs no copies, and changes nothing

    def __init__(self, study: Study, run_dir: Path) -> None:
        self._study = study
        self._path = run_dir / WATCHED
        self._file: AppendFile | None = None

    def __call__(self, state: Any, logs: Mapping[str, float]) -> None:
        if self._file is None:
            self._file = AppendFile(self._path)
        if values := self._study.watch(state, logs):
            self._file.write(json.dumps({"step": state.step, **values}, allow_nan=False).encode() + b"\n")


def _cell(study: Study, run: str, seed: int, path: Path, config: StudyConfig) -> _Cell:
    run_dir = _place(path, run, seed)
    words = [
        override("init_from", _place(path, word.partition("@")[2], seed)) if word.startswith("init_from=@") else word
        for word in study.words(run, config.full)
    ]
    own = [f"seed={seed}", override("run_dir", run_dir), "resume=auto"]
    if config.allow_targets:
        own.append(override("allow_targets", config.allow_targets))
    return _Cell(run, [*words, *config.overrides, *own], run_dir)


def _machines(runs: Runs) -> list[str]:
    found = []
    for run in (run for each in runs.values() for run in each):
        for session in run.status["sessions"]:
            own = session["device"] == session["processor"]  # it was trained on the CPU
            threads = f", {session['threads']} thread{'s' * (session['threads'] > 1)}" if own else ""
            found.append(f"{session['device']}{threads}, torch {session['versions']['torch']}")
    return sorted({*found}) or [f"{processor()}, torch {torch.__version__}"]


def _place(path: Path, run: str, seed: int) -> Path:
    return path / slug(f"{run}_seed-{seed}")


def _about(cell: _Cell, do: Callable[[], Any], more: str = "") -> Any:
    """Call a function; a user's mistake names the run, and `more` stands behind it.

    Raises:
        UserError: with the name of the run before its reason.
    """
    try:
        return do()
    except UserError as error:
        raise UserError(f"run {cell.name} in {cell.run_dir}: {error}{more}") from error


def _as_list(seed: int | Sequence[int]) -> list[int]:
    return [seed] if isinstance(seed, int) else [*seed]
