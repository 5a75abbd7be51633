"""Writes docs/studies.md: a table of all studies, and a section with a picture for each that has a result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.commands._results import write as write_files
from gan_cli.core.text import shell_line
from gan_cli.runs.directory import ROOT

STUDIES, RESULT, FIGURE = ROOT / "studies", "study.json", "figure.png"
_HEAD = """# Studies

Claims of papers, each rerun by one command. `gan study all docs=docs` writes this page from the results in
`runs/studies/`. A claim held if the 95 % interval of our number lies in the tolerance, it did not hold if the interval
lies outside, and it is not decided if the interval crosses an edge of the tolerance. Intervals are Student's over seeds
unless the section says otherwise.
"""


def write(folder: Path, meanings: Mapping[str, str]) -> None:
    """Write studies.md and studies/NAME.png into a directory.

    Args:
        folder: such as docs.
        meanings: name -> claim and paper, of every study.

    Raises:
        UserError: they cannot be written.
    """
    found: dict[str, dict[str, Any]] = {}
    pictures: dict[str, bytes] = {}
    for name in meanings:
        for path in (STUDIES / name, STUDIES / f"{name}_full"):
            if (path / RESULT).is_file():
                found[path.name] = json.loads((path / RESULT).read_text(encoding="utf-8"))
                pictures[f"{path.name}.png"] = (path / FIGURE).read_bytes()
    rows = ["| study | claim | verdicts |", "|---|---|---|"]
    for name, text in meanings.items():
        for key in (name, f"{name}_full"):
            if key in found:
                rows.append(f"| [{key}](#{key}) | {_cell(text)} | {_verdicts(found[key])} |")
        if name not in found and f"{name}_full" not in found:
            rows.append(f"| {name} | {_cell(text)} | not run |")
    sections = [_section(key, meanings[result["study"]], result) for key, result in found.items()]
    text = "\n".join([_HEAD, *rows, "", *_failures(found), *sections])
    write_files(folder, {"studies.md": text.encode()})
    write_files(folder / "studies", pictures)


def _verdicts(result: Mapping[str, Any]) -> str:
    counts = Counter(claim["verdict"] for claim in result["claims"].values())
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def _failures(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the claims that did not hold, with our numbers."""
    lines = [
        f"- [{key}](#{key}): {claim['text']}: {claim['shown']}, tolerance {claim['tolerance']}, seeds "
        f"{', '.join(map(str, result['seeds']))}"
        for key, result in found.items()
        for claim in result["claims"].values()
        if claim["verdict"] == "did not hold"
    ]
    return ["## Claims that did not hold", "", *lines, ""] if lines else []


def _section(key: str, meaning: str, result: Mapping[str, Any]) -> str:
    """Return the section of a study."""
    form = ["full=true"] if result["full"] else []
    seeds = f"seed={','.join(map(str, result['seeds']))}"
    command = shell_line("gan", "study", result["study"], *form, seeds, *result["overrides"])
    table = ["| claim | published | ours | tolerance | verdict |", "|---|---|---|---|---|"]
    for claim in result["claims"].values():
        cells = (claim["text"], claim["published"], claim["shown"], claim["tolerance"], f"**{claim['verdict']}**")
        table.append("| " + " | ".join(_cell(f"{cell}") for cell in cells) + " |")
    sources = [f"- {claim['text']}: {claim['source']}" for claim in result["claims"].values() if claim["source"]]
    lines = ["", *(f"    {line}" for line in result["lines"])] if result["lines"] else []
    about = f"`{command}`, {result['machine']}, {result['date']}."
    notes = ["", result["notes"].strip()] if result["notes"].strip() else []
    picture = f"![{key}](studies/{key}.png)"
    parts = [f"## {key}", "", f"{meaning}.", *notes, "", about, "", *table, *lines, "", picture]
    if sources:
        parts += ["", "Where the published values and tolerances come from:", "", *sources]
    return "\n".join([*parts, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
