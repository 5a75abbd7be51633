"""Figures of a comparison: the curves of all runs in one plot, and the same z through every generator."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gan_cli.analysis.comparison import Comparison
from gan_cli.analysis.frame import MARGIN, frame
from gan_cli.analysis.grouping import Group
from gan_cli.analysis.interactive import MANY_POINTS
from gan_cli.analysis.plots import FAKE, rendered

Curve = tuple[np.ndarray, np.ndarray]  # steps and values

_MOST_PANELS = 6
_FEW = 10  # groups that a qualitative colour map can distinguish


def curves(found: Comparison, tags: Sequence[str]) -> np.ndarray:
    """Overlay curves: a panel for each tag, a colour for each group, thin lines for runs, a thick line for their mean.

    The mean is drawn over the steps that every run of the group has. A panel cuts spikes; its title says so.

    Args:
        found: the comparison.
        tags: at least one tag; the first six are drawn.

    Returns:
        (height, width, 3) uint8.
    """
    tags = list(tags)[:_MOST_PANELS]
    columns = min(2, len(tags))
    rows = -(-len(tags) // columns)
    legend_rows = -(-len(found.groups) // 3)
    figure = Figure(figsize=(6.2 * columns, 3.6 * rows + 0.28 * legend_rows + 0.2), dpi=100, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, tag in zip(panels, tags, strict=False):
        _panel(axes, found, tag)
    for axes in panels[len(tags) :]:
        axes.set_axis_off()
    handles = [Axes.plot(panels[0], [], [], color=c, linewidth=2.4)[0] for c in colours(len(found.groups))]
    labels = [f"{group.label} ({len(group.runs)})" for group in found.groups]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False, fontsize=9)
    return rendered(figure, foreign=True)


def sheet(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Show the samples of each run in a row; the samples of one column have the same z.

    Args:
        rows: label -> (N, H, W, 3) uint8 images, or (N, D) points with D 1 or 2, of every run alike.

    Returns:
        (height, width, 3) uint8.
    """
    points = all(samples.ndim == 2 for samples in rows.values())
    return _scatters(rows) if points else _grid(rows)


def series(group: Group, found: Comparison, tag: str) -> tuple[dict[Path, Curve], Curve | None]:
    """Return the steps (N,) and values (N,) of each run that has a curve, and of their mean.

    The mean is that over the steps that all of them have; None where there are fewer than two curves.
    """
    curves: dict[Path, Curve] = {}
    for run in group.runs:
        steps, values = found.rows[run.path].curve(tag)
        if len(steps):
            curves[run.path] = steps, values
    if len(curves) < 2:
        return curves, None
    common = functools.reduce(np.intersect1d, [steps for steps, _ in curves.values()])
    mean = np.mean([values[np.searchsorted(steps, common)] for steps, values in curves.values()], axis=0)
    return curves, (common, mean) if len(common) else None


def colours(count: int) -> list[str]:
    """Return the colours of groups, such as #1f77b4."""
    if count <= _FEW:
        return [to_hex(colormaps["tab10"](i)) for i in range(count)]
    return [to_hex(colormaps["turbo"](i / (count - 1))) for i in range(count)]


def _panel(axes: Axes, found: Comparison, tag: str) -> None:
    shown: list[float] = []
    for group, colour in zip(found.groups, colours(len(found.groups)), strict=True):
        several = len(group.runs) > 1
        each, mean = series(group, found, tag)
        for steps, values in each.values():
            marker = "" if len(values) > MANY_POINTS else "."
            width, alpha = (0.8, 0.4) if several else (1.6, 1)
            axes.plot(steps, values, color=colour, marker=marker, linewidth=width, alpha=alpha)
            shown += values.tolist()
        if mean is not None:
            axes.plot(*mean, color=colour, linewidth=2.4)
    limits = frame(shown)
    axes.set(xlabel="step", ylabel=tag, ylim=(limits.low, limits.high))
    axes.set_title(limits.remark, fontsize=9, loc="right", color="#59636e")
    axes.margins(x=MARGIN)
    axes.grid(alpha=0.3)


def _grid(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    count = max(len(samples) for samples in rows.values())
    margin = 0.3 + 0.085 * max(len(line) for label in rows for line in label.splitlines())  # inches, for the labels
    width = 0.62 * count + margin
    figure = Figure(figsize=(width, 0.68 * len(rows) + 0.1), dpi=100)
    panels = figure.subplots(len(rows), count, squeeze=False)
    figure.subplots_adjust(left=margin / width, right=0.995, top=0.995, bottom=0.005, wspace=0.06, hspace=0.06)
    for line, (label, samples) in zip(panels, rows.items(), strict=True):
        for axes in line:
            axes.set_axis_off()
        for axes, image in zip(line, samples, strict=False):
            axes.imshow(image, interpolation="nearest")
        line[0].text(-0.12, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=9)
    return rendered(figure, foreign=True)


def _scatters(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.3 * lines), dpi=100, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    low, high = _limits(rows)
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    for axes, (label, samples) in zip(panels, rows.items(), strict=False):
        _scatter(axes, label, samples, low, high)
    return rendered(figure, foreign=True)


def scatters(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Show the points of each run in a picture of its own, all in the same limits; `rows` as for `sheet`."""
    low, high = _limits(rows)
    found = {}
    for label, samples in rows.items():
        figure = Figure(figsize=(3.6, 3.7), dpi=160, layout="constrained")
        _scatter(figure.add_subplot(), label, samples, low, high)
        found[label] = rendered(figure, foreign=True)
    return found


def _limits(rows: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    every = np.concatenate(list(rows.values()))
    low, high = np.percentile(every[np.isfinite(every).all(axis=1)], [0.5, 99.5], axis=0)
    margin = 0.1 * np.maximum(high - low, 1e-6)
    return low - margin, high + margin


def _scatter(axes: Axes, label: str, samples: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    axes.set_title(label, fontsize=9)
    axes.set_xlim(low[0], high[0])
    axes.tick_params(labelsize=8)
    if samples.shape[1] == 1:
        axes.hist(samples[:, 0], bins=np.linspace(low[0], high[0], 60), color=FAKE)
    else:
        axes.scatter(*samples.T, s=4, c=FAKE, alpha=0.6, linewidths=0)
        axes.set_ylim(low[1], high[1])
        axes.set_aspect("equal")
