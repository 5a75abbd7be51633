"""The part of `figures` that needs matplotlib. It is imported when a figure is drawn, without pyplot's global state."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from gan_cli.analysis.frame import MARGIN
from gan_cli.core.text import visible

REAL = "#111111"
FAKE = "#e8590c"
SCORE = "#1864ab"


def maps(
    real: np.ndarray | None, fake: np.ndarray, ticks: Sequence[np.ndarray], scores: np.ndarray | None
) -> np.ndarray:
    """Draw real (N, 2) and fake (M, 2) points over filled contours of scores (len(ticks[1]), len(ticks[0]))."""
    figure = Figure(figsize=(7.4, 6.4), dpi=100, layout="compressed")
    axes = figure.add_subplot()
    if scores is not None and np.isfinite(scores).any():
        levels = _levels(scores)
        darkest = levels[-1] + 0.8 * (levels[-1] - levels[0])  # keep the map pale: the points are the subject
        filled = axes.contourf(
            *ticks, np.ma.masked_invalid(scores), levels=levels, cmap="Blues", vmin=levels[0], vmax=darkest
        )
        figure.colorbar(filled, ax=axes, label="critic's score", ticks=MaxNLocator(8))
    size = 14 if len(fake) <= 1000 else 6
    for points, colour in ((real, REAL), (fake, FAKE)):
        if points is not None:
            axes.scatter(*points.T, s=size, c=colour, alpha=0.6, linewidths=0)
    axes.set(xlim=(ticks[0][0], ticks[0][-1]), ylim=(ticks[1][0], ticks[1][-1]), xlabel="$x_1$", ylabel="$x_2$")
    axes.set_aspect("equal")
    _legend(axes, real, fake, ticks, scores)
    return rendered(figure)


def histograms(
    real: np.ndarray | None, fake: np.ndarray, ticks: Sequence[np.ndarray], scores: np.ndarray | None
) -> np.ndarray:
    """Draw histograms of real (N, 1) and fake (M, 1) as densities, and scores (len(ticks[0]),) on their own axis."""
    figure = Figure(figsize=(7.2, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    low, high = ticks[0][0], ticks[0][-1]
    bins = np.linspace(low, high, 81)
    for points, colour in ((real, REAL), (fake, FAKE)):
        if points is None:
            continue
        weights = np.full(len(points), 1 / (max(len(points), 1) * (bins[1] - bins[0])))
        axes.hist(points[:, 0], bins=bins, weights=weights, color=colour, alpha=0.55)
    axes.set(xlim=(low, high), xlabel="$x$", ylabel="density")
    if scores is not None:
        score_axes = axes.twinx()
        score_axes.plot(ticks[0], np.ma.masked_invalid(scores), color=SCORE, linewidth=2)
        score_axes.set_ylabel("critic's score", color=SCORE)
        score_axes.tick_params(axis="y", colors=SCORE)
    _legend(axes, real, fake, ticks, scores)
    return rendered(figure)


class Shown(Figure):
    """A figure that a notebook shows, although no part of pyplot knows it."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


def curves(series: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Draw curves: tag -> (steps, values, steps of filtered values, filtered values, which may be empty)."""
    figure = Shown(figsize=(8.0, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for i, (tag, (steps, values, filtered_steps, filtered)) in enumerate(series.items()):
        colour = f"C{i}"
        if len(filtered):
            axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.4)
            axes.plot(filtered_steps, filtered, color=colour, linewidth=2.2, label=f"{tag}, median of 101")
        else:
            axes.plot(steps, values, color=colour, linewidth=1.2, label=tag)
    axes.set(xlabel="step", ylabel=next(iter(series)) if len(series) == 1 else "value")
    axes.margins(MARGIN)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def tags(pictures: np.ndarray, true: Sequence[Sequence[str]], generated: Sequence[Sequence[str]]) -> np.ndarray:
    """Draw pictures (N, H, W, 3) uint8, each with its tags and, below, the words generated for it; right ones in blue.

    Args:
        pictures: at least one.
        true: the tags of each.
        generated: the words of each.
    """
    across = min(len(pictures), 4)
    rows = -(-len(pictures) // across)
    figure = Figure(figsize=(3.0 * across, 2.4 * rows), dpi=100)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks is drawn as boxes
        for i, (picture, own, words) in enumerate(zip(pictures, true, generated, strict=True)):
            column, row = i % across, rows - 1 - i // across
            axes = figure.add_axes(((column + 0.04) / across, (row + 0.48) / rows, 0.92 / across, 0.48 / rows))
            axes.imshow(picture)
            axes.set_axis_off()
            x, y = (column + 0.04) / across, (row + 0.44) / rows
            figure.text(x, y, "\n".join(_wrapped(own)), size=8, va="top", color=REAL)
            for line, word in enumerate(words):
                colour = SCORE if word in own else FAKE
                place = (x + line % 3 * 0.31 / across, y - (0.2 + 0.1 * (line // 3)) / rows)
                figure.text(*place, textwrap.shorten(word, 14, placeholder="…"), size=8, va="top", color=colour)
        return rendered(figure)


def _wrapped(words: Sequence[str]) -> list[str]:
    """Return the words in two lines at most."""
    return textwrap.wrap(", ".join(words), 44, max_lines=2, placeholder=" …")


def _legend(
    axes: Axes, real: np.ndarray | None, fake: np.ndarray, ticks: Sequence[np.ndarray], scores: np.ndarray | None
) -> None:
    inside = np.logical_and.reduce([(axis[0] <= x) & (x <= axis[-1]) for axis, x in zip(ticks, fake.T, strict=True)])
    outside = len(fake) - int(inside.sum())
    labels = [(FAKE, f"fake ({len(fake)}" + (f", {outside} outside)" if outside else ")"))]
    if real is not None:
        labels.insert(0, (REAL, f"real ({len(real)})"))
    handles = [axes.scatter([], [], s=40, c=colour, label=label) for colour, label in labels]
    broken = 0 if scores is None else int((~np.isfinite(scores)).sum())
    title = f"score not finite at {broken} of {scores.size} points" if broken else None
    axes.legend(handles=handles, title=title, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)


def _levels(scores: np.ndarray) -> np.ndarray:
    finite = scores[np.isfinite(scores)]
    low, high = finite.min(), finite.max()
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):  # a constant score still needs two levels
        margin = max(abs(low), 1.0) * 1e-3
        low, high = low - margin, high + margin
    return np.linspace(low, high, 21)


def rendered(figure: Figure, foreign: bool = False) -> np.ndarray:
    """Return the pixels of a figure, (height, width, 3) uint8.

    Args:
        figure: not drawn yet.
        foreign: its texts come from runs, so none of them is markup.
    """
    for text in figure.findobj(Text) if foreign else ():
        text.set_text(visible(text.get_text()))
        text.set_parse_math("$" not in text.get_text())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()
