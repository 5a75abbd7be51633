"""The page of `gan report`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gan_cli.analysis import interactive, page, run_facts
from gan_cli.analysis.grouping import groups, title
from gan_cli.analysis.run_report import Part
from gan_cli.runs.reading import Run


class Reported(NamedTuple):
    """The report about one run.

    Attributes:
        part: its content.
        pngs: its pictures by stem.
        names: the names of their files by stem.
    """

    part: Part
    pngs: Mapping[str, bytes]
    names: Mapping[str, str]


def report_page(runs: Sequence[Run], reported: Sequence[Reported], out: Path, made: Mapping[str, str]) -> str:
    """Return the page about one run or several.

    Args:
        runs: the runs.
        reported: the report about each.
        out: directory of the page, from which it links to the runs' files.
        made: when and how the page was made, plain text -> HTML.
    """
    parts, pngs, names = zip(*reported, strict=True)
    found = title(groups(runs))
    end = interactive.library() if any(shown.chart for part in parts for shown in part.figures.values()) else ""
    if len(runs) == 1:
        contents = {"verdicts": "Verdicts", **{name: shown.heading for name, shown in parts[0].figures.items()}}
        head = page.top(found, f"gan report: {parts[0].name}", {**_facts(runs[0], out), **made}, contents)
        body = page.section("verdicts", "Verdicts", parts[0].judged()) + parts[0].sections(pngs[0], 2, names[0])
        return page.document(f"Report: {found}", head + body, end)
    contents = {f"run-{i}": part.name for i, part in enumerate(parts, 1)}
    facts = {"Trained": html.escape(run_facts.trained(runs)), **made}
    head = page.top(found, f"gan report: {len(runs)} runs", facts, contents)
    bodies = []
    for i, (run, part) in enumerate(zip(runs, parts, strict=True)):
        name = f"run-{i + 1}"
        inside = page.pairs(_facts(run, out)) + part.judged() + part.sections(pngs[i], 3, names[i], f"{name}-")
        bodies.append(page.section(name, part.name, inside))
    return page.document(f"Report: {found}", head + "".join(bodies), end)


def _facts(run: Run, out: Path) -> dict[str, str]:
    """Return what stands at the top about a run: plain text -> HTML."""
    return {
        "State": html.escape(f"{run.state}, step {run.step} of {run.total_steps}"),
        "Settings": run_facts.first_settings(run_facts.settings(run)),
        "Command": page.code(run_facts.command(run)) if run_facts.command(run) else "",
        "Trained": html.escape(run_facts.trained([run])),
        "Files": run_facts.files(run, out),
    }
