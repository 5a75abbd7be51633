"""The address at which `gan board` opens TensorBoard: what says most is pinned above everything else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gan_cli.commands._board_scales import labels, on_scale
from gan_cli.core.curves import heldout_tag, is_estimate, normalised_tag
from gan_cli.runs import reading
from gan_cli.runs.contents import FIXED, REAL, SAMPLES
from gan_cli.runs.metrics_log import METRICS

_MOST_RUNS = 2  # whose samples are pinned
_MOST_CURVES = 3  # estimates, and as many held-out ones
_EXPERIMENT = "defaultExperimentId"  # as TensorBoard calls the one directory that it shows


def with_pins(address: str, directory: Path) -> str:
    """Return the address of the TIME SERIES page with pinned cards.

    They are the normalised estimate, the held-out estimate, a card for each scale, and the samples of some runs, one of
    each scale first, beside real ones.

    Args:
        address: TensorBoard's own.
        directory: that it shows.
    """
    runs = {os.path.relpath(path, directory): path for path in reading.below(directory)}
    scales = labels(directory, runs)
    pins = _curves(runs, scales)
    for name in _first_of_each(scales):
        for tag in (FIXED, REAL):
            if _has_picture(runs[name], tag):
                pins.append({"plugin": "images", "tag": tag, "runId": f"{_EXPERIMENT}/{name}", "sample": 0})
    query = f"?pinnedCards={quote(json.dumps(pins, separators=(',', ':')))}" if pins else ""
    return f"{address}{query}#timeseries"


def _curves(runs: dict[str, Path], scales: dict[str, str]) -> list[dict[str, Any]]:
    """Return the cards of the runs' estimates: those that can be compared, then the held-out ones of each scale."""
    first: dict[str, None] = {}
    heldout: dict[str, None] = {}
    for name, path in runs.items():
        row = reading.last_row(path / METRICS)
        estimate = reading.headline(row)
        normalised, twin = (of(estimate) if is_estimate(estimate) else "" for of in (normalised_tag, heldout_tag))
        first |= {normalised if normalised in row else estimate: None} if estimate else {}
        heldout |= {on_scale(twin, scales.get(name, "")): None} if twin in row else {}
    return [{"plugin": "scalars", "tag": tag} for tag in [*first][:_MOST_CURVES] + [*heldout][:_MOST_CURVES]]


def _first_of_each(scales: dict[str, str]) -> list[str]:
    """Return the runs whose samples are pinned: one of each scale, then others."""
    apart = list({label: name for name, label in reversed(scales.items())}.values())[::-1]
    return [*apart, *(name for name in scales if name not in apart)][:_MOST_RUNS]


def _has_picture(run: Path, tag: str) -> bool:
    return (run / f"{REAL}.png").is_file() if tag == REAL else any((run / SAMPLES).glob("step_*.png"))
