"""Figures with curves; matplotlib is used without pyplot, which keeps global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_cli.analysis.plots import FAKE, REAL, SCORE


def trade(found: Mapping[str, Mapping[str, float]], psi: Sequence[str], space: str) -> np.ndarray:
    """Draw precision against recall for growing psi, and the Frechet distance over psi, both with their floors.

    Args:
        found: measures of each psi, of the run's own prior (`prior`) and of real samples (`floor`).
        psi: the keys of `found` that are bounds.
        space: the extractor whose features were compared.

    Returns:
        (height, width, 3) uint8.
    """
    figure = Figure(figsize=(8.0, 3.6), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    bounds = sorted(psi, key=float)
    curve = [(found[name]["recall"], found[name]["precision"]) for name in bounds]
    left.plot(*zip(*curve, strict=True), color=SCORE, marker="o", markersize=4)
    for name, at in zip(bounds, curve, strict=True):
        left.annotate(name, at, textcoords="offset points", xytext=(5, 4), fontsize=8)
    for name, colour, mark in (("prior", FAKE, "s"), ("floor", REAL, "*")):
        left.plot(found[name]["recall"], found[name]["precision"], mark, color=colour, label=_LABELS[name])
        right.axhline(found[name]["frechet_distance"], color=colour, linestyle="--", linewidth=1)
    left.set(xlabel="recall: diversity", ylabel="precision: quality", xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
    left.legend(loc="lower right", fontsize=8)
    right.plot(
        [float(name) for name in bounds], [found[name]["frechet_distance"] for name in bounds], "o-", color=SCORE
    )
    right.set(xlabel="psi", ylabel=f"Frechet distance, {space}", ylim=(0, None))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


_LABELS = {"prior": "the run's own prior", "floor": "other real samples"}
