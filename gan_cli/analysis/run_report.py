"""The part of a report about one run: its figures, its numbers and their meaning."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from gan_cli.analysis import interactive, page, verdicts
from gan_cli.analysis.figures import MEDIAN_WINDOW, png
from gan_cli.analysis.verdicts import Verdict
from gan_cli.config.names import option
from gan_cli.core.curves import OBJECTIVES, Curve, find, heldout_tag
from gan_cli.core.log_rows import LogRows
from gan_cli.runs.directory import SAMPLES
from gan_cli.runs.reading import Run, headline

PICTURES = 5  # along the curve
_CELLS = 5  # images of a grid that are shown, along each side
_GAP = 2


class Chart(NamedTuple):
    """What the page draws instead of a figure's only panel: plotly's traces, and the titles of the axes."""

    traces: list[dict[str, Any]]
    x: str
    y: str


class Shown(NamedTuple):
    """A figure of a report.

    Attributes:
        heading: above it.
        caption: below it.
        panels: stem of the file name -> picture (height, width, 3) uint8.
        chart: the same to hover over, where there is one.
        strip: step -> picture of samples, above the chart.
    """

    heading: str
    caption: str
    panels: dict[str, np.ndarray]
    chart: Chart | None = None
    strip: Sequence[tuple[int, np.ndarray]] = ()


@dataclass
class Part:
    """The content of a report about one run.

    Attributes:
        name: name of the run.
        facts: one line about the run.
        verdicts: the verdicts in the order in which they are shown.
        figures: name -> figure.
        numbers: values for JSON.
    """

    name: str
    facts: str
    verdicts: list[Verdict] = field(default_factory=list)
    figures: dict[str, Shown] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)

    def pngs(self) -> dict[str, bytes]:
        """Return the panels of all figures, by stem."""
        return {stem: png(pixels) for shown in self.figures.values() for stem, pixels in shown.panels.items()}

    def _repr_html_(self) -> str:
        pngs = self.pngs()
        bodies = "".join(_with_caption(shown.heading, _panels(shown, pngs), shown) for shown in self.figures.values())
        return f"<h3>{html.escape(self.name)}</h3><p>{html.escape(self.facts)}</p>{self.judged()}{bodies}"

    def judged(self) -> str:
        """Return the verdicts as HTML."""
        lines = "".join(f'<li class="{v.kind}">{html.escape(v.text)}</li>' for v in self.verdicts)
        return f"<ul class=verdicts>{lines}</ul>"

    def sections(self, pngs: Mapping[str, bytes], level: int, names: Mapping[str, str], prefix: str = "") -> str:
        """Return the figures as the sections of a page.

        Args:
            pngs: of `pngs`.
            level: of the headings.
            names: stem -> name of the file beside the page.
            prefix: of the sections' ids.
        """
        found = []
        for name, shown in self.figures.items():
            body = _panels(shown, pngs) if shown.chart is None else _chart(shown, shown.chart, names)
            found.append(page.section(f"{prefix}{name}", shown.heading, _with_caption("", body, shown), level))
        return "".join(found)


def _with_caption(heading: str, body: str, shown: Shown) -> str:
    above = heading and f"<h4>{html.escape(heading)}</h4>"
    return f"{above}<figure>{body}<figcaption>{html.escape(shown.caption)}</figcaption></figure>"


def _panels(shown: Shown, pngs: Mapping[str, bytes]) -> str:
    return f"<div class=panels>{''.join(page.image(shown.heading, pngs[stem]) for stem in shown.panels)}</div>"


def _chart(shown: Shown, chart: Chart, names: Mapping[str, str]) -> str:
    (stem,) = shown.panels
    strip = [(page.image(f"samples at step {step}", png(pixels)), step) for step, pixels in shown.strip]
    small = "".join(f"<figure>{picture}<figcaption>step {step}</figcaption></figure>" for picture, step in strip)
    drawn = interactive.chart(chart.y, chart.traces, names[stem], chart.x, legend=len(chart.traces) > 1)
    return f"{small and f'<div class=strip>{small}</div>'}{drawn}"


def facts(run: Run) -> str:
    """Return one line about a run: its state and main settings."""
    chosen = filter(None, (option(group, run.config, run.choices) for group in ("loss", "model", "dataset")))
    steps = f"{run.state}, step {run.step} of {run.total_steps}"
    return ", ".join([*chosen, f"seed {run.config.get('seed')}", steps])


def estimate_of(rows: Sequence[Mapping[str, float]], own: Sequence[Curve] = ()) -> str:
    """Return the tag of the curve that the report shows; '' if there are no rows.

    Args:
        rows: rows of the run.
        own: the curve declarations of the run's loss.
    """
    if not rows:
        return ""
    tag = headline(rows[-1])
    if tag not in ("", *OBJECTIVES):
        return tag
    return next((known for known in rows[-1] if (curve := find(known, own)) and curve.role), tag)


def filtered(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return a curve after a median filter, and the length of the filter.

    The length is that of the WGAN paper's figures, 101 rows, and less if there are fewer than two such windows: a tenth
    of the rows, at least 3. Steps without a full window are left out.
    """
    window = MEDIAN_WINDOW if len(values) >= 2 * MEDIAN_WINDOW else max(3, len(values) // 10 // 2 * 2 + 1)
    if len(values) < window:
        return steps, values, 1
    half = window // 2
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, window), axis=1)
    return steps[half : len(steps) - half], middle, window


def add_estimate(
    part: Part,
    run: Run,
    rows: LogRows,
    shape: Sequence[int] | None,
    own: Sequence[Curve] = (),
) -> str:
    """Add the curve and its meaning; return its tag, '' if there is none. `own` as for `estimate_of`."""
    tag = estimate_of(rows, own)
    if not tag:
        part.verdicts.append(Verdict("unknown", "the run has no rows yet"))
        return ""
    from gan_cli.analysis import report_plots

    steps, values = rows.curve(tag)
    at, smooth, window = filtered(steps, values)
    pictures = _along(run.path / SAMPLES, int(steps[-1]), shape)
    drawn = report_plots.estimate(tag, steps, values, at, smooth, window, pictures)
    caption = f"{tag}: {verdicts.meaning(tag, own)}."
    if pictures:
        caption += " Above it: samples of the same z, or of the same sources, at several steps."
    twin = list(zip(*(found.tolist() for found in rows.curve(heldout_tag(tag))), strict=True))
    traces = report_plots.estimate_traces(steps, values, at, smooth, window, twin)
    heading = "The estimate, with samples at several steps" if pictures else "The estimate"
    chart = Chart(traces, "step", tag)
    part.figures["estimate"] = Shown(heading, caption, {"estimate": drawn}, chart, pictures)
    part.numbers["estimate"] = {"tag": tag, "steps": len(steps), "window": window, "last": _number(smooth[-1])}
    if tag in OBJECTIVES:
        part.verdicts.append(Verdict("unknown", f"this loss does not estimate a distance, so the curve is {tag}"))
    part.verdicts += verdicts.trend(tag, at, smooth, run.total_steps)
    part.verdicts += verdicts.separated(tag, rows)
    part.verdicts += verdicts.overfitting(tag, rows)
    return tag


def _along(folder: Path, last: int, shape: Sequence[int] | None) -> list[tuple[int, np.ndarray]]:
    """Return pictures at evenly spaced steps; of a grid, its first rows and columns."""
    paths = {int(p.stem.removeprefix("step_")): p for p in folder.glob("step_*.png") if p.stem[5:].isdigit()}
    steps = sorted(step for step in paths if 0 < step <= last)
    if not steps:
        return []
    chosen = sorted({steps[round(i * (len(steps) - 1) / (PICTURES - 1))] for i in range(PICTURES)})
    found = []
    for step in chosen:
        with Image.open(paths[step]) as picture:
            pixels = np.array(picture.convert("RGB"))
        if shape is not None and len(shape) == 3:
            pixels = pixels[: _GAP + _CELLS * (shape[1] + _GAP), : _GAP + _CELLS * (shape[2] + _GAP)]
        found.append((step, pixels))
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
