"""Comparison of runs: which numbers are comparable, over which seeds, at which step, and which run is best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan_cli.analysis import grouping
from gan_cli.analysis.evaluated import measured_alike
from gan_cli.analysis.grouping import Group
from gan_cli.analysis.statistics import deviation, holm, welch
from gan_cli.core.curves import better, depends_on_critic, is_estimate, normalised_tag
from gan_cli.core.log_rows import LogRows, Row
from gan_cli.runs import reading
from gan_cli.runs.metrics_log import METRICS, read_rows, row_at
from gan_cli.runs.reading import Run

_SHOWN = re.compile(r"^(quality|distance)/")
_OF_CRITIC = re.compile(r"^critic/|^distance/critic_")
_FLAT = 1e-8  # of critic/score_std: such a critic gives every sample one score
_SHOWN_WARNINGS = 3


class Cell(NamedTuple):
    """The values of one tag over the seeds of one group.

    Attributes:
        values: one number for each run.
        p: corrected p-value of the difference from the best; None: there is no test.
        best: whether this is the best group.
    """

    values: list[float]
    p: float | None = None
    best: bool = False

    @property
    def mean(self) -> float:
        """The mean over the runs."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the runs; None for one run."""
        return deviation(self.values)


class Comparison(NamedTuple):
    """The result of `compare`.

    Attributes:
        groups: runs that differ only by their seed.
        tags: tags that are compared or shown.
        cells: tag -> one cell for each group, None if the group has no number.
        rows: run -> its rows, of these tags alone.
        at: run -> its step that is compared, and all its numbers there, those of `gan evaluate` among them; without the
            runs that are left out.
        notes: remarks for the reader.
    """

    groups: list[Group]
    tags: list[str]
    cells: dict[str, list[Cell | None]]
    rows: dict[Path, LogRows]
    at: dict[Path, Row]
    notes: list[str]

    @property
    def curves(self) -> list[str]:
        """The tags that some run has logged, and of which there are curves."""
        return [tag for tag in self.tags if any(tag in rows.tags for rows in self.rows.values())]


def compare(runs: Sequence[Run], tags: Sequence[str] = (), step: int | None = None) -> Comparison:
    """Compare runs.

    Args:
        runs: some may still be training, or have failed.
        tags: of curves, or of scores of `gan evaluate`; none: the scores of the samples, then the critics' estimates as
            far as they are comparable.
        step: the step whose rows are compared; None: the end of finished runs, or if none is finished, the last step
            that all runs have reached.
    """
    groups = grouping.groups(runs)
    notes: list[str] = []
    chosen = _with_evaluations(_rows_at(runs, step, notes), notes)
    scales = grouping.differing(groups, grouping.OF_K)
    tags = list(tags) or _tags(chosen, scales, notes)
    rows = {run.path: read_rows(run.path / METRICS, only=tags) for run in runs}
    unfit = _unfit(runs, chosen, tags, notes)
    trained = grouping.differing(groups, grouping.OF_THE_CRITIC)
    cells = {tag: _cells(tag, groups, chosen, trained, unfit, notes) for tag in tags}
    if trained and (shown := [tag for tag in tags if _is_of_critic(tag)]):
        notes.append(
            f"{', '.join(shown)}: shown but not compared, because the critics differ ({_first(trained)}): a critic "
            "that learnt less gives a smaller estimate for the same samples"
        )
    if not any(_is_score(tag) for tag in tags):
        notes.append(
            "no score of the samples: evaluate.every_steps=500 logs some while a run trains, and `gan evaluate RUN` "
            "measures an existing run; `gan compare` shows both"
        )
    if len(steps := {int(row["step"]) for row in chosen.values()}) > 1:
        listed = ", ".join(map(str, sorted(steps)))
        notes.append(f"the runs are compared at different steps ({listed}); use --step N to compare them at one step")
    if differ := grouping.differing(groups, ("dataset",)):
        notes.append(f"the data differ ({', '.join(differ[:3])}), so no group is marked as the best")
    if any(cell is not None and cell.p is not None for column in cells.values() for cell in column):
        notes.append("p: Welch's t-test against the best (*) over seeds, with Holm's correction in each column")
    return Comparison(groups, tags, cells, rows, chosen, notes)


def _rows_at(runs: Sequence[Run], step: int | None, notes: list[str]) -> dict[Path, Row]:
    """Return the row at which each run is compared, without the runs that are left out."""
    last = {run.path: row for run in runs if (row := row_at(run.path / METRICS))}
    started = [run for run in runs if run.path in last]
    if step is None:
        finished = [run for run in started if run.state == "finished"]
        if not finished and started:
            step = int(min(row["step"] for row in last.values()))
            notes.append(f"no run is finished: compared at step {step}, the last one that all runs with curves reached")
        else:
            _note_left_out([run for run in runs if run not in finished], notes)
            return {run.path: last[run.path] for run in finished}
    reached = [run for run in started if last[run.path]["step"] >= step]
    _note_left_out([run for run in runs if run not in reached], notes)
    return {run.path: row for run in reached if (row := row_at(run.path / METRICS, step))}


def _with_evaluations(chosen: dict[Path, Row], notes: list[str]) -> dict[Path, Row]:
    """Return the rows with the scores of `gan evaluate`, where all runs have them, or none has others."""
    found = measured_alike({path: int(row["step"]) for path, row in chosen.items()})
    missing = [path.name for path in chosen if path not in found.scores]
    if not found.scores or (missing and any(_is_score(tag) for row in chosen.values() for tag in row)):
        return chosen
    notes.append(f"scores by `gan evaluate`: {found.text}")
    if missing:
        listed = ", ".join(missing[:_SHOWN_WARNINGS]) + (", ..." if len(missing) > _SHOWN_WARNINGS else "")
        notes.append(f"without such a measurement by `gan evaluate`: {listed}")
    return {path: {**row, **found.scores.get(path, {})} for path, row in chosen.items()}


def _note_left_out(left: Sequence[Run], notes: list[str]) -> None:
    if left:
        listed = ", ".join(f"{run.path.name} ({run.state}, step {run.step}/{run.total_steps})" for run in left[:12])
        more = f" and {len(left) - 12} more" if len(left) > 12 else ""
        notes.append(f"not in the table: {listed}{more}")


def _tags(chosen: dict[Path, Row], scales: Sequence[str], notes: list[str]) -> list[str]:
    every = list(dict.fromkeys(tag for row in chosen.values() for tag in row if tag != "step"))
    estimates = [tag for tag in every if is_estimate(tag)]
    found: list[str] = []
    for tag in estimates:
        twin = normalised_tag(tag)
        if twin not in every:
            found.append(tag)
        elif scales:
            found.append(twin)
            notes.append(
                f"{tag} is K times a distance, and the critics' K differs ({_first(scales)}): {twin} is shown instead"
            )
        else:
            found += [tag, twin]
    shown = [tag for tag in every if _SHOWN.search(tag)]
    scores = sorted(filter(_is_score, shown), key=lambda tag: not tag.startswith("quality/"))
    return [*scores, *found, *(tag for tag in shown if not _is_score(tag))]


def _is_of_critic(tag: str) -> bool:
    return bool(_OF_CRITIC.search(tag)) or depends_on_critic(tag)


def _is_score(tag: str) -> bool:
    """Return whether a tag is a score of the samples, which no critic takes part in."""
    return bool(_SHOWN.search(tag)) and not _is_of_critic(tag)


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")


def _unfit(runs: Sequence[Run], chosen: dict[Path, Row], tags: Sequence[str], notes: list[str]) -> set[Path]:
    """Return the runs whose critic gives every sample the same score: its estimate is 0 at any distance."""
    found = set()
    for run in runs:
        warnings = run.status.get("warnings")
        collapsed = any(isinstance(w, dict) and w.get("what") == "collapsed critic" for w in warnings or [])
        if run.path in chosen and (collapsed or chosen[run.path].get("critic/score_std", 1.0) <= _FLAT):
            found.add(run.path)
    if found and any(map(_is_of_critic, tags)):
        names = sorted(path.name for path in found)
        listed = ", ".join(names[:_SHOWN_WARNINGS]) + (", ..." if len(names) > _SHOWN_WARNINGS else "")
        notes.append(f"the table has no numbers of collapsed critics, because they do not measure a distance: {listed}")
    return found


def _cells(
    tag: str,
    groups: Sequence[Group],
    chosen: dict[Path, Row],
    trained: Sequence[str],
    unfit: set[Path],
    notes: list[str],
) -> list[Cell | None]:
    of_critic = _is_of_critic(tag)

    def values(group: Group) -> list[float]:
        paths = [run.path for run in group.runs if run.path in chosen]
        return [chosen[p][tag] for p in paths if tag in chosen[p] and not (of_critic and p in unfit)]

    cells = [Cell(found) if (found := values(group)) else None for group in groups]
    if (of_critic and trained) or grouping.differing(groups, ("dataset",)):
        return cells
    lost = [of_critic and cell is not None and min(cell.values) < 0 for cell in cells]
    if any(lost):
        labels = ", ".join(group.label for group, bad in zip(groups, lost, strict=True) if bad)
        notes.append(f"{tag} below 0 is not a distance (the critic lags behind), so these are not compared: {labels}")
    fit = [None if bad else cell for cell, bad in zip(cells, lost, strict=True)]
    return [judged or cell for judged, cell in zip(_judged(tag, fit), cells, strict=True)]


def _judged(tag: str, cells: list[Cell | None]) -> list[Cell | None]:
    """Mark the best group, and test the others against it."""
    sign = {"higher": -1, "lower": 1, "neither": 0}[better(tag)]
    there = [cell for cell in cells if cell is not None and np.isfinite(cell.mean)]
    if not sign or len(there) < 2:
        return cells
    best = min(there, key=lambda cell: sign * cell.mean)
    if sum(cell.mean == best.mean for cell in there) > 1:
        return cells
    p_values = holm([welch(c.values, best.values) if c is not None and c is not best else None for c in cells])
    return [c and Cell(c.values, p, c is best) for c, p in zip(cells, p_values, strict=True)]


def gather(paths: Sequence[Path]) -> list[Run]:
    """Return the runs that these directories are or contain, each once."""
    found = dict.fromkeys(run for path in paths for run in reading.below(path))
    return [reading.run_at(path) for path in found]
