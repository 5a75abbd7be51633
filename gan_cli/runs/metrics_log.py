"""The rows of a run as text: metrics.jsonl (reproducible values) and timing.jsonl (times and speeds)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from gan_cli.core.files import AppendFile, replace_file
from gan_cli.errors import UserError

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
_WORDS = {"nan", "inf", "-inf"}  # strict JSON has no such numbers: they are written as these strings


class MetricsLog:
    """One row a log interval: {"step": n, tag: value, ...}, tags sorted, floats in digits that read back bit for bit.

    A row is appended whole or not at all, so after an OSError the call may be tried again.

    Args:
        run_dir: holds both files.
        resume_step: the step of the checkpoint that training continues from; later rows and a torn last line are cut.
            None: a new run.

    Raises:
        UserError: a new run where a log exists already, or a row before `resume_step` that cannot be read.
    """

    def __init__(self, run_dir: Path, resume_step: int | None) -> None:
        paths = [run_dir / METRICS, run_dir / TIMING]
        for path in paths:
            if resume_step is not None:
                _cut(path, resume_step)
            elif path.exists():
                raise UserError(f"{path} holds the curves of another run: choose another run_dir")
        self._metrics, self._timing = (AppendFile(path) for path in paths)

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Append a row of reproducible values to metrics.jsonl."""
        self._metrics.write(_line(step, row))

    def timing(self, step: int, row: Mapping[str, float]) -> None:
        """Append a row of measured times and speeds to timing.jsonl."""
        self._timing.write(_line(step, row))

    def sync(self) -> None:
        """Return once every row is on the disk; call it before a checkpoint is committed."""
        self._metrics.sync()
        self._timing.sync()

    def close(self) -> None:
        """Close both files."""
        self._metrics.close()
        self._timing.close()


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read metrics.jsonl or timing.jsonl, of a running process too: a last line still being written is left out.

    Returns:
        the rows in order; "step" is an int, every other value a float.

    Raises:
        UserError: a line that is not a row.
    """
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_parse(path, number, line) for number, line in enumerate(lines, 1)]


def _line(step: int, row: Mapping[str, float]) -> bytes:
    values = {tag: _encode(float(row[tag])) for tag in sorted(row)}
    return json.dumps({"step": step, **values}, allow_nan=False).encode() + b"\n"


def _encode(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def parse_row(line: bytes) -> dict[str, float]:
    """Return a line of metrics.jsonl or timing.jsonl as a row.

    Raises:
        ValueError: it is none.
    """
    try:
        row = json.loads(line, parse_constant=_refuse)
        step = row.pop("step")
        if type(step) is not int:
            raise TypeError(step)
        return {"step": step, **{tag: _decode(value) for tag, value in row.items()}}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError("not a row of values") from error


def _parse(path: Path, number: int, line: bytes) -> dict[str, float]:
    try:
        return parse_row(line)
    except ValueError:
        raise UserError(f"{path}, line {number} is not a row of values: remove that line") from None


def _decode(value: object) -> float:
    if type(value) in (int, float) or value in _WORDS:
        return float(value)
    raise TypeError(value)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _cut(path: Path, last_step: int) -> None:
    """Keep the rows up to a step; what a kill or a power cut left behind them goes, damage among them is an error."""
    if not path.exists():
        return
    content = path.read_bytes()
    kept, damaged = [], None
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            late = _parse(path, number, line)["step"] > last_step
        except UserError as error:
            damaged = damaged or error
            continue
        if late:
            break
        if damaged:
            raise damaged
        kept.append(line + b"\n")
    if sum(map(len, kept)) < len(content):
        replace_file(path, kept)
