"""A comparison as text: a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
import sys
from typing import Any

from gan_cli.analysis.comparison import Cell, Comparison
from gan_cli.analysis.grouping import SEED, short_names
from gan_cli.core.text import columns, one_line


def table(found: Comparison, width: int = sys.maxsize) -> str:
    """Return an aligned table with the notes below it.

    Args:
        found: the comparison.
        width: of a line, in characters. Each group has a line, or a column where the lines would be longer.
    """
    rows = [_heads(found), *_lines(found)]
    lines = columns(rows)
    if max(map(len, lines)) > width:
        lines = columns(list(zip(*rows, strict=True)))
    return "\n".join([*lines, *([""] if found.notes else []), *found.notes])


def groups_csv(found: Comparison) -> str:
    """Return one line for each group: its settings, runs, and each tag's mean, standard deviation, count and p."""
    keys = _keys(found)
    heads = [*keys, "runs"]
    for tag in found.tags:
        heads += [tag, f"{tag} deviation", f"{tag} runs", f"{tag} p", f"{tag} best"]
    rows = []
    for i, group in enumerate(found.groups):
        row: list[Any] = [*group.values.values(), len(group.runs)]
        for tag in found.tags:
            cell = found.cells[tag][i]
            row += (
                ["", "", 0, "", ""]
                if cell is None
                else [cell.mean, cell.deviation, len(cell.values), cell.p, cell.best]
            )
        rows.append(row)
    return _csv(heads, rows)


def runs_csv(found: Comparison) -> str:
    """Return one line for each run: its directory, state, seed, settings and numbers."""
    heads = ["run", "state", "step", SEED, *_keys(found), *found.tags]
    rows = []
    for group in found.groups:
        for run in group.runs:
            row = found.at.get(run.path, {})
            values = [row.get(tag) for tag in found.tags]
            rows.append([run.path, run.state, row.get("step"), run.config.get(SEED), *group.values.values(), *values])
    return _csv(heads, rows)


def as_json(found: Comparison) -> dict[str, Any]:
    """Return everything as values for strict JSON: NaN and infinity are null."""
    groups = []
    for i, group in enumerate(found.groups):
        cells = {tag: found.cells[tag][i] for tag in found.tags}
        groups.append(
            {
                "settings": group.values,
                "runs": [
                    {
                        "run": str(r.path),
                        "state": r.state,
                        "step": found.at.get(r.path, {}).get("step"),
                        SEED: r.config.get(SEED),
                    }
                    for r in group.runs
                ],
                "scores": {tag: None if cell is None else _cell_json(cell) for tag, cell in cells.items()},
            }
        )
    return {"tags": found.tags, "groups": groups, "notes": found.notes}


def cells(found: Comparison) -> tuple[list[str], list[list[str]], list[list[bool]]]:
    """Return the table's headings, the cells of each line, and which of them are the best of their column."""
    lines, best = _lines(found), []
    for i, line in enumerate(lines):
        plain = [False] * (len(line) - len(found.tags))
        best.append([*plain, *(_is_best(found.cells[tag][i]) for tag in found.tags)])
    return _heads(found), lines, best


def _heads(found: Comparison) -> list[str]:
    shorts = short_names(_keys(found))
    return [*(shorts[key] for key in _keys(found)), "runs", *found.tags]


def _lines(found: Comparison) -> list[list[str]]:
    lines = []
    for i, group in enumerate(found.groups):
        there = sum(run.path in found.at for run in group.runs)
        count = str(there) if there == len(group.runs) else f"{there} of {len(group.runs)}"
        lines.append([*group.values.values(), count, *(_text(found.cells[tag][i]) for tag in found.tags)])
    return lines


def _text(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.2g}"
    test = "" if cell.p is None else f" (p {cell.p:.2g})"
    return f"{cell.mean:.4g}{spread}{' *' if cell.best else ''}{test}"


def _keys(found: Comparison) -> list[str]:
    return list(found.groups[0].values)


def _is_best(cell: Cell | None) -> bool:
    return cell is not None and cell.best


def _cell_json(cell: Cell) -> dict[str, Any]:
    values = [value if math.isfinite(value) else None for value in cell.values]
    numbers = {"mean": cell.mean, "deviation": cell.deviation, "p": cell.p}
    finite = {key: None if value is None or not math.isfinite(value) else value for key, value in numbers.items()}
    return {"values": values, **finite, "best": cell.best}


def _csv(heads: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (heads, *rows):
        writer.writerow(["" if value is None else one_line(value) for value in row])
    return text.getvalue()
