"""Reads run directories from outside, without torch and while they are trained: how far each run is."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli.core import untrusted
from gan_cli.core.curves import OBJECTIVES, is_estimate
from gan_cli.core.held import is_held
from gan_cli.errors import UserError
from gan_cli.runs import exported
from gan_cli.runs.directory import CHECKPOINTS, CONFIG, read_status
from gan_cli.runs.metrics_log import METRICS, TIMING, rows_from_end

_BLOCK = re.compile(rb"^(?=[a-z])", re.MULTILINE)  # before each key of a config; most runs share most of what follows
_TAIL = 2**16  # bytes in which the last row of a file stands


class Standing(NamedTuple):
    """How far a run is by its last row: zeros and "" before the first."""

    step: int = 0
    tag: str = ""  # of the critic's estimate, else of its loss or the generator's
    value: float = 0.0  # the tag's
    steps_per_second: float = 0.0
    row: Mapping[str, float] = {}  # all of it


def headline(row: Mapping[str, float]) -> str:
    """Return the tag that says most of a row: the critic's estimate, else its loss or the generator's, or ''."""
    return next(filter(is_estimate, row), next((tag for tag in OBJECTIVES if tag in row), ""))


def standing(run: Path) -> Standing:
    """Return how far a run is; `Standing()` where it has no row that can be read."""
    row, timing = last_row(run / METRICS), last_row(run / TIMING)
    tag, speed = headline(row), timing.get("steps_per_second", 0.0)
    return Standing(int(row["step"]), tag, row.get(tag, 0.0), speed, row) if row else Standing()


def last_row(path: Path) -> dict[str, float]:
    """Return the last whole row of metrics.jsonl or timing.jsonl; {} where there is none."""
    return next(rows_from_end(path, _TAIL), {})


def status(run: Path) -> dict[str, Any]:
    """Return run.json's content; {} where there is none that can be read."""
    with suppress(UserError):
        return read_status(run)
    return {}


def class_names(run: Path) -> tuple[str, ...]:
    """Return the names of a run's classes, as run.json has them; () where it has none."""
    found = status(run).get("classes")
    entries = found if isinstance(found, list) else []
    return tuple(str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry)


def is_run(path: Path) -> bool:
    """Return whether a directory is a run's."""
    return (path / CONFIG).is_file()


class Run(NamedTuple):
    """What a run directory says of itself.

    Attributes:
        path: the directory.
        config: its settings; {} where they cannot be read.
        status: run.json.
        standing: how far it is.
        state: finished, running, failed, interrupted, killed (no process holds it), starting; exported: no run.
    """

    path: Path
    config: dict[str, Any]
    status: dict[str, Any]
    standing: Standing
    state: str

    @property
    def choices(self) -> dict[str, str]:
        """Each group's chosen option; {} for a run that did not record it."""
        found = self.status.get("choices")
        return found if isinstance(found, dict) else {}

    @property
    def step(self) -> int:
        """Of its last row or of its status, whichever is later."""
        saved = self.status.get("step")
        return max(self.standing.step, saved if isinstance(saved, int) else 0)

    @property
    def total_steps(self) -> int:
        """Where it ends; 0 where that cannot be read."""
        train = self.config.get("train")
        steps = train.get("steps") if isinstance(train, dict) else 0
        return steps if isinstance(steps, int) else 0


def run_at(path: Path) -> Run:
    """Read a run's directory, which may be trained at the same time, or an exported generator's.

    Raises:
        UserError: an export that is not what `gan export` writes.
    """
    if exported.is_export(path):
        about = exported.read_about(path)
        return Run(path, about.trained_with, {}, Standing(about.step), "exported")
    found = status(path)
    state = str(found.get("status", "starting"))
    if state == "running" and not is_held(path):
        state = "killed"
    return Run(path, _config(path), found, standing(path), state)


def below(directory: Path) -> list[Path]:
    """Return the runs in a directory and in the sweeps there, or the directory itself if it is a run, by name."""
    if is_run(directory):
        return [directory]
    found = [path.parent for path in (*directory.glob(f"*/{CONFIG}"), *directory.glob(f"*/*/{CONFIG}"))]
    return sorted(path for path in found if not path.name.startswith(".") and path.parent.name != CHECKPOINTS)


def _config(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = untrusted.read(path / CONFIG, untrusted.CONFIG_BYTES)
        with suppress(ValueError):
            return {key: value for block in _BLOCK.split(content) for key, value in _parsed(block).items()}
        return _mapping(untrusted.parse_yaml(content))
    return {}


@functools.lru_cache(maxsize=1024)
def _parsed(block: bytes) -> dict[str, Any]:
    """Return the value of a key and what belongs to it, which the runs share.

    Raises:
        ValueError: it has none without the rest of the file.
    """
    return _mapping(untrusted.parse_yaml(block) or {})


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not a config")
    return value
