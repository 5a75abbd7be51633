"""The rows of a run as text: metrics.jsonl (reproducible values) and timing.jsonl (times and speeds)."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from gan_cli.core.files import lines_from_end
from gan_cli.core.log_rows import LogRows, Row
from gan_cli.errors import UserError
from gan_cli.runs.contents import METRICS, TIMING
from gan_cli.runs.directory import RunDirectory

_WORDS = {"nan", "inf", "-inf"}  # strict JSON has no such numbers: they are written as these strings
_MOST_STEPS = 2**53

Item = TypeVar("Item")


def append_rows(run: RunDirectory, step: int, row: Mapping[str, float], timing: Mapping[str, float]) -> bytes:
    """Append a row to metrics.jsonl and its times to timing.jsonl, each whole or not at all; returns both lines.

    They are {"step": n, tag: value, ...}, tags sorted, floats in digits that read back bit for bit.
    """
    lines = [_line(step, values) for values in (row, timing)]
    for name, line in zip((METRICS, TIMING), lines, strict=True):
        run.append(name).write(line, step)
    return b"".join(lines)


def speeds(timing: Mapping[str, float]) -> dict[str, float]:
    """Return the curves that a row of timing.jsonl gives."""
    return {f"speed/{name}": value for name, value in timing.items() if name.endswith("_per_second")}


def read_rows(path: Path, only: Collection[str] | None = None) -> LogRows:
    """Return the rows of metrics.jsonl or timing.jsonl, none where there is no such file.

    Args:
        path: the file.
        only: tags that are kept; None: all.

    Raises:
        UserError: a line that is not a row.
    """
    return LogRows(each_row(path), only) if path.is_file() else LogRows()


def each_row(path: Path, start: int = 0) -> Iterator[Row]:
    """Yield the rows of metrics.jsonl or timing.jsonl from a byte on; "step" is an int, every other value a float.

    A process may be writing there: what no line break ends is left out.

    Raises:
        UserError: a line that is not a row.
    """
    with open(path, "rb") as file:
        file.seek(start)
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            if (row := parse_row(line)) is None:
                after = f" after byte {start}" if start else ""
                raise UserError(f"{path}, line {number}{after} is not a row of values: remove that line")
            yield row


def row_at(path: Path, step: int | None = None) -> Row:
    """Return the last row at or before a step, or the last of all; {} where there is none. It is read from the end.

    Raises:
        UserError: a line behind it that is not a row.
    """
    if not path.is_file():
        return {}
    with open(path, "rb") as file:
        for at, line in lines_from_end(file):
            if (row := parse_row(line)) is None:
                raise UserError(f"{path}, the line after byte {at} is not a row of values: remove that line")
            if step is None or row["step"] <= step:
                return row
    return {}


def rows_from_end(path: Path, most: int | None = None) -> Iterator[Row]:
    """Yield the rows in the last `most` bytes, the last one first; what is not a row is left out."""
    with suppress(OSError), open(path, "rb") as file:
        for _, line in lines_from_end(file, most):
            if row := parse_row(line):
                yield row


def by_step(*sources: Iterable[tuple[int, Item]]) -> Iterator[tuple[int, dict[int, Item]]]:
    """Join sources that ascend by their steps: yield each step once, and what the sources have of it by their place."""

    def placed(place: int, source: Iterable[tuple[int, Item]]) -> Iterator[tuple[int, int, Item]]:
        return ((step, place, item) for step, item in source)

    last, step_of = -1, itemgetter(0)
    for step, group in groupby(heapq.merge(*map(placed, count(), sources), key=step_of), key=step_of):
        if step > last:  # a damaged file may step back
            last = step
            yield step, {place: item for _, place, item in group}


def sound_lines(path: Path, last_step: int) -> Iterator[tuple[int, bytes]]:
    """Yield the step and the line of every row up to a step; what is not a row is left out."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:
            row = parse_row(line) if line.endswith(b"\n") else None
            if row and row["step"] <= last_step:
                yield int(row["step"]), line


def cut(path: Path, last_step: int) -> None:
    """Drop the rows after a step, and what a kill left behind them, from the end."""
    with suppress(FileNotFoundError), open(path, "r+b") as file:
        rows = ((at + len(line) + 1, parse_row(line)) for at, line in lines_from_end(file))
        file.truncate(next((end for end, row in rows if row and row["step"] <= last_step), 0))


def parse_row(line: bytes) -> Row | None:
    """Return a line of metrics.jsonl or timing.jsonl as a row; None: it is not one."""
    from pydantic_core import from_json  # five times as fast as json, and slow to import

    try:
        row = from_json(line, allow_inf_nan=False)
        step = row.pop("step")
        if type(step) is not int or not 0 <= step <= _MOST_STEPS:
            raise TypeError(step)
        return {"step": step, **{tag: v if type(v) is float else _decode(v) for tag, v in row.items()}}
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
        return None


def _line(step: int, row: Mapping[str, float]) -> bytes:
    values = encoded({tag: float(row[tag]) for tag in sorted(row)})
    return json.dumps({"step": step, **values}, allow_nan=False).encode() + b"\n"


def encoded(row: Mapping[str, float]) -> dict[str, float | str]:
    """Return values as strict JSON has them: a NaN or infinity as text."""
    return {tag: value if math.isfinite(value) else str(value) for tag, value in row.items()}


def _decode(value: object) -> float:
    if type(value) in (int, float) or value in _WORDS:
        return float(value)
    raise TypeError(value)
