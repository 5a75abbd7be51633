"""How cost grows with the number of cells, jobs, rows, runs, samples and files."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from benchmarks.options import Options
from benchmarks.processes import child, run
from benchmarks.report import table

DOUBLINGS = 2  # of the smallest size
SMALLEST = 32  # of the largest sizes
OF = ("cpu", "memory", "written")  # what the exponents are of
TITLE = "Cost as sizes double"
ABOUT = """\
Each line is measured in a fresh process, whose files another process has made. *s* and *CPU* are the seconds on the
clock and of the processor, and *memory* is the peak above the start, after everything is imported; *written* is what
goes to files. The exponent is that of the last doubling of
the size: 1 is a cost in proportion to the work, 2 a quadratic one; below 1, a fixed cost counts too. A run has rows of
21 values, as the default one has, and the goals are: a cell of a sweep in 10 ms, 1,000,000 rows continued in 3 s and
100 MB, a run listed in 1 ms, pictures compared in half of their own bytes above these."""


class Case(NamedTuple):
    """What is measured.

    Attributes:
        text: what it does.
        unit: what there are so many of.
        largest: how many there are in its largest size.
    """

    text: str
    unit: str
    largest: int


CASES = {
    "cells": Case("compose and check a sweep", "cells", 512),
    "jobs": Case("write sweep.json as jobs end", "jobs", 4096),
    "resume": Case("open a run to continue it", "rows", 1_000_000),
    "doctor": Case("`gan doctor RUN`, no checkpoint: every row and event is read", "rows", 100_000),
    "compare": Case("`gan compare RUN`", "rows", 1_000_000),
    "report": Case("`gan report RUN`", "rows", 1_000_000),
    "metrics": Case("`run.metrics` in Python", "rows", 1_000_000),
    "runs": Case("`gan runs`", "runs", 2_000),
    "distances": Case("compare 64 x 64 x 3 pictures with fakes, and features", "pictures", 10_000),
    "neighbours": Case("nearest of 64 x 64 x 3 pictures to 500", "pictures", 10_000),
    "folder": Case("open a folder with one changed picture", "pictures", 4_000),
    "npz": Case("`gan sample RUN format=npz`, 32 x 32", "samples", 200_000),
}


def measure(options: Options) -> dict[str, Any]:
    """Measure each case at doubled sizes."""
    rows = []
    for name in options.of or CASES:
        for halvings in range(DOUBLINGS, -1, -1):
            size = max(SMALLEST, int(CASES[name].largest * options.share)) >> halvings
            found = json.loads(run(child("growth", name, size)).splitlines()[-1])
            rows.append({"name": name, "size": size, **found})
            options.show(f"scale: {name}, {size:,}: {found['seconds']:.3f} s, {found['memory'] / 1e6:.1f} MB")
    return {"rows": rows}


def cell(row: dict[str, Any]) -> list[Any]:
    """Return what a row is about: it takes the place of an earlier one."""
    return [row["name"]]


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    lines = []
    for name, case in CASES.items():
        before = None
        for row in (row for row in result["rows"] if row["name"] == name):
            lines.append(
                [
                    case.text,
                    f"{row['size']:,} {case.unit}",
                    f"{row['seconds']:.3f}",
                    f"{row['cpu']:.3f}",
                    f"{1e3 * row['cpu'] / row['size']:.3g}",
                    f"{row['memory'] / 1e6:.1f}",
                    f"{row['written'] / 1e6:.2f}",
                    *(_exponent(row[of], before and before[of], row["size"], before and before["size"]) for of in OF),
                ]
            )
            before = row
    heads = ["", "size", "s", "CPU, s", "CPU, ms each", "memory, MB", "written, MB"]
    heads += ["exponent of CPU", "of memory", "of what is written"]
    return table(heads, lines)


def _exponent(now: float, before: float | None, size: int, size_before: int | None) -> str:
    if not before or now <= 0 or before <= 0:
        return ""
    return f"{math.log(now / before) / math.log(size / size_before):.2f}"
