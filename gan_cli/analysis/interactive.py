"""Curves that a page draws in the browser: for hovering, zooming, hiding runs and a logarithmic scale.

The library that draws, plotly.js, comes with the package `plotly` and stands in the page, compressed, so that the page
needs no network. Foreign text is escaped twice: plotly reads HTML in names and titles.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_cli.analysis import page
from gan_cli.analysis.frame import frame
from gan_cli.core.text import visible

MOST_POINTS = 60_000  # of all curves of a page: about 1 MB
MANY_POINTS = 25  # of a curve, from which on they are not marked one by one
_FEWEST_POINTS = 50  # of a curve, however many there are
_HOVERED_AT_ONCE = 8  # curves whose values are shown together at a step
_FONT = {"family": "system-ui, sans-serif", "size": 13, "color": "#1b1f24"}
_AXIS = {"gridcolor": "#eaeef2", "zerolinecolor": "#d8dee4", "automargin": True, "exponentformat": "power"}


def library() -> str:
    """Return the elements that draw the charts of a page, for the end of its body."""
    from plotly.offline import get_plotlyjs

    packed = base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()
    return f'<script id="plotly" type="text/plain">{packed}</script><script>{page.beside("page.js")}</script>'


def line(
    steps: np.ndarray, values: np.ndarray, name: str, colour: str, most: int = MOST_POINTS, **more: Any
) -> dict[str, Any]:
    """Return a curve for `chart`.

    Args:
        steps: (N,).
        values: (N,); NaN and infinity are gaps.
        name: plain text.
        colour: such as #1864ab.
        most: points that are drawn; of more, the lowest and highest of each stretch are kept.
        more: further properties of plotly's scatter trace.
    """
    steps, values = thinned(steps, values, max(most, _FEWEST_POINTS))
    return {
        "type": "scatter",
        "mode": "lines" if len(values) > MANY_POINTS else "lines+markers",
        "x": [int(step) for step in steps],
        "y": [round_off(value) for value in values],
        "name": html.escape(visible(name)),
        "line": {"color": colour, **more.pop("line", {})},
        **more,
    }


def round_off(value: float) -> float | None:
    """Return a value as a chart has it: to five digits, and None where it is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def thinned(steps: np.ndarray, values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most so many points of a curve: of stretches of equal length, the lowest and the highest point."""
    if len(values) <= most:
        return steps, values
    kept: set[int] = set()
    for part in np.array_split(np.arange(len(values)), most // 2):
        finite = part[np.isfinite(values[part])]
        chosen = finite if len(finite) else part
        kept |= {int(chosen[np.argmin(values[chosen])]), int(chosen[np.argmax(values[chosen])])}
    at = sorted(kept)
    return steps[at], values[at]


def chart(
    title: str, traces: Sequence[dict[str, Any]], picture: str = "", x: str = "step", legend: bool = False
) -> str:
    """Return a chart as HTML.

    Args:
        title: plain text; what stands behind its last / is the title of the vertical axis too.
        traces: of `line`, or plotly's own.
        picture: name of the file beside the page that shows the same; none: no link.
        x: title of the horizontal axis.
        legend: show plotly's legend, whose entries hide curves.
    """
    at, values = ([v for trace in traces for v in trace[axis] if v is not None] for axis in "xy")
    shown = frame(values)
    together = len(traces) <= _HOVERED_AT_ONCE and all(trace["mode"] != "markers" for trace in traces)
    layout = {
        "font": _FONT,
        "margin": {"l": 64, "r": 12, "t": 12, "b": 44},
        "xaxis": {**_AXIS, "title": _title(x), "range": frame(at)[:2]},
        "yaxis": {
            **_AXIS,
            "hoverformat": ".5g",
            "title": _title(title.rpartition("/")[2]),
            "range": [shown.low, shown.high],
        },
        "hovermode": "x unified" if together else "closest",
        "hoverlabel": {"namelength": -1, "font": {"size": 12}, "bgcolor": "rgba(255,255,255,0.85)"},
        "showlegend": legend,
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    }
    spec = json.dumps({"data": list(traces), "layout": layout}, separators=(",", ":")).replace("<", "\\u003c")
    log = '<label hidden><input type="checkbox"> log scale</label>' if any(value > 0 for value in values) else ""
    remark = f"<p class=remark>{shown.remark}; a double click shows all</p>" if shown.outside else ""
    link = page.link("PNG", picture) if picture else ""
    return (
        f"<div class=plot><header><h4>{html.escape(title)}</h4>{link}{log}</header>"
        f'<script type="application/json">{spec}</script>{remark}</div>'
    )


def _title(text: str) -> dict[str, Any]:
    return {"text": html.escape(visible(text)), "standoff": 8, "font": {"size": 12}}
