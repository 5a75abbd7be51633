"""The files of a run that belong to its steps, and the form of its run.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

METRICS, TIMING = "metrics.jsonl", "timing.jsonl"
SAMPLES = "samples"
FIXED, REAL = f"{SAMPLES}/fixed", f"{SAMPLES}/real"  # tags of the pictures
EVENTS = "events.out.tfevents"
_OF_STEPS = re.compile(rf"{METRICS}|{TIMING}|{EVENTS}\.\d+\.(gan|about)|{SAMPLES}/(real|step_(?P<step>\d{{10}}))\.png")


def picture_name(tag: str, step: int) -> str:
    """Return the name of a picture in a run."""
    return f"{REAL}.png" if tag == REAL else f"{SAMPLES}/step_{step:010d}.png"


def is_of_steps(name: str) -> bool:
    """Return whether the content of a run's file belongs to its steps, by its name."""
    return _OF_STEPS.fullmatch(name) is not None


def step_of(name: str) -> int:
    """Return the step of a picture, by its name; 0 of every other file, which is of many steps or of none."""
    match = _OF_STEPS.fullmatch(name)
    return int(match["step"] or 0) if match else 0


def files_of_steps(run: Path) -> list[str]:
    """Return the names of the files of a run whose content belongs to its steps."""
    found = [path.relative_to(run).as_posix() for path in (*run.iterdir(), *run.glob(f"{SAMPLES}/*"))]
    return sorted(filter(is_of_steps, found))


def is_status(content: Any) -> bool:
    """Return whether a value is a mapping whose `sessions`, if any, are a list of mappings."""
    sessions = content.get("sessions", []) if isinstance(content, dict) else None
    return isinstance(sessions, list) and all(isinstance(session, dict) for session in sessions)
