"""The figures of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import MaxNLocator

from gan_cli.analysis.correlation import Correlation
from gan_cli.analysis.critic_health import Further, GradientNorms
from gan_cli.analysis.frame import MARGIN, frame
from gan_cli.analysis.interactive import line, round_off
from gan_cli.analysis.plots import FAKE, REAL, SCORE, rendered
from gan_cli.analysis.quality_points import Points

_BETWEEN = _HELD_OUT = "#2b8a3e"
_SOURCES = {"row": ("o", "rows"), "checkpoint": ("s", "checkpoints"), "picture": ("o", "pictures")}


def estimate(
    tag: str,
    steps: np.ndarray,
    values: np.ndarray,
    filtered_steps: np.ndarray,
    filtered: np.ndarray,
    window: int,
    pictures: Sequence[tuple[int, np.ndarray]],
) -> np.ndarray:
    """Draw the curve, raw and filtered, below samples at several steps, as in figure 3 of the WGAN paper.

    Args:
        tag: tag of the curve.
        steps: (N,).
        values: (N,), the logged values.
        filtered_steps: (M,).
        filtered: (M,), the values after the median filter.
        window: number of rows in the filter.
        pictures: step and pixels (height, width, 3) uint8, ordered by step.

    Returns:
        (height, width, 3) uint8.
    """
    figure = Figure(figsize=(10, 6.2 if pictures else 4.2), dpi=100)
    grid = figure.add_gridspec(
        2 if pictures else 1,
        1,
        height_ratios=[1, 1.9] if pictures else [1],
        left=0.09,
        right=0.985,
        top=0.93,
        bottom=0.15,
    )
    axes = figure.add_subplot(grid[-1])
    limits = frame(values)
    logged = f"as logged ({limits.remark})" if limits.remark else "as logged"
    axes.plot(steps, values, color=SCORE, linewidth=0.8, alpha=0.45, label=logged)
    axes.plot(filtered_steps, filtered, color=SCORE, linewidth=2.4, label=f"median of {window} rows")
    axes.set_ylim(limits.low, limits.high)
    axes.set(xlabel="step", ylabel=tag)
    axes.margins(x=MARGIN)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=9, frameon=False)
    for i, (step, pixels) in enumerate(pictures):
        small = figure.add_axes(_place(i, len(pictures)))
        small.imshow(pixels, interpolation="nearest")
        small.set_title(f"step {step}", fontsize=9)
        small.set(xticks=[], yticks=[])
        height = float(np.interp(step, filtered_steps, filtered))
        axes.plot([step], [height], "o", color=FAKE, markersize=6, zorder=5)
        line = ConnectionPatch(
            (0.5, 0), (step, height), small.transAxes, axes.transData, color=FAKE, linewidth=1, alpha=0.7
        )
        figure.add_artist(line)
    return rendered(figure, foreign=True)


def estimate_traces(
    steps: np.ndarray,
    values: np.ndarray,
    filtered_steps: np.ndarray,
    filtered: np.ndarray,
    window: int,
    heldout: Sequence[tuple[float, float]],
) -> list[dict[str, Any]]:
    """Return the curves of `estimate` as traces of a chart, and that on held-out samples: steps and values."""
    found = [
        line(steps, values, "as logged", SCORE, opacity=0.5, line={"width": 1}),
        line(filtered_steps, filtered, f"median of {window} rows", SCORE, line={"width": 3}),
    ]
    if heldout:
        found.append(line(*np.array(heldout).T, "on held-out samples", _HELD_OUT, line={"width": 1.5}))
    return found


def quality(tag: str, found: Points, related: Correlation | None) -> np.ndarray:
    """Draw the estimate against the score as points, coloured by step."""
    figure = Figure(figsize=(7, 4.8), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    last = max(point.step for point in found.points)
    for source, (marker, label) in _SOURCES.items():
        here = [p for p in found.points if p.source == source]
        if here:
            shown = axes.scatter(
                [p.score for p in here],
                [p.estimate for p in here],
                c=[p.step for p in here],
                cmap="viridis",
                vmin=0,
                vmax=last,
                marker=marker,
                s=52,
                edgecolors="white",
                label=label,
            )
    figure.colorbar(shown, ax=axes, label="step")
    axes.set(xlabel=found.axis, ylabel=tag)
    axes.margins(MARGIN)
    title = f"{len(found.points)} points are too few for a correlation"
    if related is not None:
        title = f"Spearman {related.rho:.2f}, 95 % interval {related.low:.2f} to {related.high:.2f}, {related.n} points"
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    return rendered(figure, foreign=True)


def quality_trace(found: Points) -> dict[str, Any]:
    """Return the points of `quality` as a trace of a chart."""
    shown = [(round_off(p.score), round_off(p.estimate), f"step {p.step}, {p.source}") for p in found.points]
    x, y, texts = (list(column) for column in zip(*shown, strict=True))
    marker = {
        "size": 10,
        "colorscale": "Viridis",
        "color": [p.step for p in found.points],
        "colorbar": {"title": {"text": "step"}, "thickness": 14},
        "line": {"color": "white", "width": 1},
    }
    return {"type": "scatter", "mode": "markers", "x": x, "y": y, "text": texts, "marker": marker, "name": ""}


def critic_weights(weights: np.ndarray, bound: float | None) -> np.ndarray:
    """Draw the critic's weights.

    Args:
        weights: (N,).
        bound: the c of weight clipping, or None.
    """
    figure = _panel()
    axes = figure.add_subplot()
    axes.hist(weights, bins=101, color=SCORE, log=True)
    for x in () if bound is None else (-bound, bound):
        axes.axvline(x, color=FAKE, linewidth=1.2, linestyle="--")
    clipped = "" if bound is None else f", clipped at ±{bound:g}"
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(f"{len(weights):,} critic weights{clipped}", fontsize=10)
    axes.set(xlabel="weight", ylabel="number (log)")
    return rendered(figure)


def critic_gradient_norms(norms: GradientNorms, target: float | None) -> np.ndarray:
    """Draw the critic's gradient norms at real samples, at fakes and between them.

    Args:
        norms: result of `critic_health.gradient_norms_at`.
        target: the target norm of a penalty, or None.
    """
    figure = _panel()
    axes = figure.add_subplot()
    every = np.concatenate(norms)
    every = every[np.isfinite(every)]
    bins = _bins(every if target is None else np.append(every, target))
    for values, colour, label in zip(norms, (REAL, FAKE, _BETWEEN), ("at real", "at fake", "between"), strict=True):
        axes.hist(
            values, bins=bins, histtype="step", linewidth=1.8, color=colour, label=f"{label}, mean {values.mean():.3g}"
        )
    if target is not None:
        axes.axvline(target, color="#888", linewidth=1.2, linestyle="--", label=f"target {target:g}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title("gradient norm of the critic", fontsize=10)
    axes.set(xlabel="norm", ylabel="samples")
    axes.legend(fontsize=8)
    axes.set_ylim(top=1.35 * axes.get_ylim()[1])
    return rendered(figure)


def critic_further(further: Further, tag: str) -> np.ndarray:
    """Draw the estimate while only the critic continues to learn.

    Args:
        further: result of `critic_health.further_updates`.
        tag: tag of the estimate.
    """
    figure = _panel()
    axes = figure.add_subplot()
    axes.errorbar(further.updates, further.values, color=SCORE, linewidth=2, marker="o", markersize=4)
    axes.errorbar(further.updates[-1], further.values[-1], yerr=2 * further.error, color=SCORE, capsize=4)
    axes.axhline(further.values[0], color="#888", linewidth=1, linestyle="--")
    axes.set_title("more critic training, fixed generator", fontsize=10)
    axes.set(xlabel="further critic updates", ylabel=f"{tag}\n(held-out samples)")
    axes.margins(MARGIN)
    axes.grid(alpha=0.3)
    return rendered(figure, foreign=True)


def _panel() -> Figure:
    """Return a figure whose text can be read where it is as wide as a phone."""
    return Figure(figsize=(4.8, 3.6), dpi=160, layout="constrained")


def _place(i: int, n: int) -> tuple[float, float, float, float]:
    """Return the box of picture i of n above the curve, in fractions of the figure."""
    width = min(0.18, 0.9 / n)
    middle = 0.09 + 0.895 * (i + 0.5) / n
    return (middle - width / 2, 0.655, width, 0.285)


def _bins(values: np.ndarray) -> np.ndarray:
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1, 51)
