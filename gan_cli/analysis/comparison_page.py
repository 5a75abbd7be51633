"""The page of `gan compare`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.analysis import comparison_plots, comparison_text, interactive, page, run_facts
from gan_cli.analysis.comparison import Comparison
from gan_cli.analysis.figures import png
from gan_cli.analysis.grouping import SEED, Group, title
from gan_cli.runs.reading import Run

_MOST_NOTES = 6  # that are not folded away


def comparison_page(found: Comparison, samples: Mapping[str, np.ndarray], out: Path, made: Mapping[str, str]) -> str:
    """Return the page: what is compared, the table and its notes, charts of the curves, samples, and the runs.

    Args:
        found: the comparison.
        samples: as `comparison_plots.sheet` takes them.
        out: directory of the page, from which it links to the runs' files.
        made: when and how the page was made, plain text -> HTML.
    """
    heading = title(found.groups)
    runs = [run for group in found.groups for run in group.runs]
    sections = {"results": ("Results", _results(found))}
    if found.curves:
        sections["curves"] = ("Curves", _toggles(found.groups) + _charts(found))
    if samples:
        sections["samples"] = ("Samples", _samples(samples))
    sections["runs"] = ("Runs", _runs(runs, found, out))
    head = page.top(
        heading,
        f"gan compare: {len(runs)} run{'s' if len(runs) > 1 else ''}",
        {"In common": run_facts.first_settings(_alike(runs)), "Trained": html.escape(run_facts.trained(runs)), **made},
        {name: text for name, (text, _) in sections.items()},
    )
    body = "".join(page.section(name, text, content) for name, (text, content) in sections.items())
    end = interactive.library() if found.curves else ""
    return page.document(f"Compare: {heading}", head + body, end)


def _results(found: Comparison) -> str:
    heads, lines, bold = comparison_text.cells(found)
    first, others = (_notes(part) for part in (found.notes[:_MOST_NOTES], found.notes[_MOST_NOTES:]))
    more = page.details(f"{len(found.notes) - _MOST_NOTES} more notes", others) if others else ""
    return page.table(heads, lines, bold) + first + more


def _notes(notes: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in notes)}</ul>" if notes else ""


def _alike(runs: Sequence[Run]) -> dict[str, str]:
    """Return the settings that all runs share."""
    first, *others = (run_facts.settings(run) for run in runs)
    return {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}


def _toggles(groups: Sequence[Group]) -> str:
    """Return boxes that hide groups and runs in all charts."""
    found, number = [], 0
    for i, (group, colour) in enumerate(zip(groups, comparison_plots.colours(len(groups)), strict=True)):
        several = len(group.runs) > 1
        trace = f"g{i}" if several else f"r{number}"
        count = f" (mean of {len(group.runs)})" if several else ""
        boxes = [_box(trace, f'<i style="background:{colour}"></i>{html.escape(group.label + count)}')]
        for run in group.runs:
            boxes += [_box(f"r{number}", html.escape(f"{SEED} {run.config.get(SEED)}"))] if several else []
            number += 1
        found.append(f"<span>{''.join(boxes)}</span>")
    return f"<fieldset class=runs hidden><legend>Shown</legend>{''.join(found)}</fieldset>"


def _box(trace: str, content: str) -> str:
    return f'<label><input type="checkbox" checked data-trace="{trace}">{content}</label>'


def _charts(found: Comparison) -> str:
    colours = comparison_plots.colours(len(found.groups))
    most = interactive.MOST_POINTS // (len(found.curves) * (len(found.rows) + len(found.groups)))
    charts = []
    for tag in found.curves:
        traces: list[dict[str, Any]] = []
        number = 0
        for i, (group, colour) in enumerate(zip(found.groups, colours, strict=True)):
            several = len(group.runs) > 1
            style = {"line": {"width": 1}, "opacity": 0.5} if several else {"line": {"width": 2}}
            series, mean = comparison_plots.series(group, found, tag)
            for run in group.runs:
                if run.path in series:
                    name = f"{group.label}, {SEED} {run.config.get(SEED)}" if several else group.label
                    traces.append(interactive.line(*series[run.path], name, colour, most, meta=f"r{number}", **style))
                number += 1
            if mean is not None:
                name = f"{group.label}, mean of {len(group.runs)}"
                traces.append(interactive.line(*mean, name, colour, most, meta=f"g{i}", line={"width": 3}))
        charts.append(interactive.chart(tag, traces))
    return f"<div class=charts>{''.join(charts)}</div>"


def _samples(samples: Mapping[str, np.ndarray]) -> str:
    """Return a row of images for each run, or a plot of its points."""
    if all(one.ndim == 2 for one in samples.values()):
        drawn = comparison_plots.scatters(samples)
        return f"<div class=panels>{''.join(page.image(label, png(pixels)) for label, pixels in drawn.items())}</div>"
    rows = []
    for label, images in samples.items():
        name, _, rest = label.strip().partition("\n")
        gap = np.full((images.shape[1], 2, 3), 255, np.uint8)
        strip = np.concatenate([pixels for image in images for pixels in (image, gap)][:-1], axis=1)
        about = f"<div>{html.escape(name)}<small>{html.escape(rest)}</small></div>"
        rows.append(f"<div class=row>{about}{page.image(name, png(strip), 'pixels')}</div>")
    return f"<p class=remark>The samples of a column have the same z.</p>{''.join(rows)}"


def _runs(runs: Sequence[Run], found: Comparison, out: Path) -> str:
    """Return the state, the command and the files of every run."""
    about = {}
    for run in runs:
        step = found.at.get(run.path, {}).get("step")
        states = [run.state, "not compared" if step is None else f"compared at step {step}", run_facts.trained([run])]
        command = page.code(run_facts.command(run))
        about[run.path.name] = (
            f"{html.escape(', '.join(filter(None, states)))}<br>{command}<br>{run_facts.files(run, out)}"
        )
    return page.pairs(about)
