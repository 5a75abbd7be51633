"""The quality of a run's samples in one line: how far they are from the data, and how much of it they show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_cli.analysis.run_scores import RunScores
from gan_cli.analysis.verdicts import Verdict

NEAR, FAR = 2.0, 10.0  # times the floor: up to the first the samples are as the data, from the second on far from it
LOST = 0.1  # share of the floor's recall, below which almost nothing of the data's variety is shown
_DISTANCES = {r"quality/(fid|frechet_distance_\w+)": "Frechet distance", r"distance/exact_w1(_[ab])?": "exact W1"}
_RECALL = r"quality/recall(_(?!at_)\w+)?"


class Measured(NamedTuple):
    """Scores of one step of a run.

    Attributes:
        scores: by tag.
        floors: those of other real samples, by tag.
        n: samples of each kind.
        step: the step.
    """

    scores: Mapping[str, float]
    floors: Mapping[str, float]
    n: int
    step: int


def of_rows(rows: Sequence[Mapping[str, float]], status: Mapping[str, Any]) -> Measured | None:
    """Return the last scores that a run logged, with the floors in its run.json; None where there are none."""
    protocol = status.get("evaluation")
    floors = protocol.get("floors") if isinstance(protocol, Mapping) else None
    if not isinstance(floors, Mapping):
        return None
    row = next((rows[i] for i in reversed(range(len(rows))) if not floors.keys().isdisjoint(rows[i])), None)
    return row and Measured(row, floors, int(protocol.get("count", 0)), int(row["step"]))


def of_scores(found: RunScores) -> Measured:
    """Return what `gan evaluate` measures."""
    scores = {score.tag: score.value for score in found.scores.values()}
    floors = {score.tag: score.floor for score in found.scores.values() if score.floor is not None}
    return Measured(scores, floors, found.samples, int(found.protocol["step"]))


def judged(found: Measured) -> Verdict | None:
    """Return how far the samples are from the data, beside other real samples; None where no distance was measured."""
    kinds = ((tag, name) for pattern, name in _DISTANCES.items() for tag in found.scores if re.fullmatch(pattern, tag))
    tag, name = next((kind for kind in kinds if kind[0] in found.floors), ("", ""))
    if not tag:
        return None
    value, floor = found.scores[tag], found.floors[tag]
    text = (
        f"{name} {value:.3g}, other real samples {floor:.3g}, with {found.n:,} samples of step {found.step} "
        f"({tag.partition('/')[2]})"
    )
    if not np.isfinite(value):
        return Verdict("look", f"the samples cannot be measured: {text}")
    times = value / floor if floor > 0 else np.inf
    recall = next((t for t in found.scores if re.fullmatch(_RECALL, t) and found.floors.get(t)), None)
    if recall is not None:
        text += f"; recall {found.scores[recall]:.2g}, other real samples {found.floors[recall]:.2g}"
        if found.scores[recall] < LOST * found.floors[recall]:
            text += ": the samples show almost nothing of the data's variety; `gan collapse` tests for repetitions"
            return Verdict("look", f"the samples are {'far from' if times > FAR else 'unlike'} the data: {text}")
    if times > NEAR:
        how = "far from the data" if times > FAR else "not yet as near to the data as other real samples are"
        return Verdict("look", f"the samples are {how}: {text}")
    return Verdict("good", f"the samples are as near to the data as other real samples are: {text}")
