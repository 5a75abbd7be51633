"""What a run must contain: the files that belong to its steps, and their comparison with what a checkpoint says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_cli.core.files import Content, Tally, tally_of

Contents = Mapping[str, Content]  # of files by name
METRICS, TIMING = "metrics.jsonl", "timing.jsonl"
SAMPLES = "samples"
FIXED, REAL = f"{SAMPLES}/fixed", f"{SAMPLES}/real"  # tags of the pictures
EVENTS = "events.out.tfevents"
_OF_STEPS = re.compile(rf"{METRICS}|{TIMING}|{EVENTS}\.\d+\.(gan|about)|{SAMPLES}/(real|step_(?P<step>\d{{10}}))\.png")


def picture_name(tag: str, step: int) -> str:
    """Return the name of a picture in a run."""
    return f"{REAL}.png" if tag == REAL else f"{SAMPLES}/step_{step:010d}.png"


def step_of(name: str) -> int | None:
    """Return the step of a picture by its name, 0 of a file of many steps; None: its content belongs to none."""
    match = _OF_STEPS.fullmatch(name)
    return int(match["step"] or 0) if match else None


def files_of_steps(run: Path) -> list[str]:
    """Return the names of the files of a run whose content belongs to its steps."""
    found = [path.relative_to(run).as_posix() for path in (*run.iterdir(), *run.glob(f"{SAMPLES}/*"))]
    return sorted(name for name in found if step_of(name) is not None)


def is_status(content: Any) -> bool:
    """Return whether a value is a mapping whose `sessions`, if any, are a list of mappings."""
    sessions = content.get("sessions", []) if isinstance(content, dict) else None
    return isinstance(sessions, list) and all(isinstance(session, dict) for session in sessions)


def contents_of(meta: Mapping[str, Any]) -> Contents | None:
    """Return what stays, by a checkpoint's `meta`, where the run continues; None: it is of an earlier version."""
    about = meta.get("run")
    return about and about["contents"]


def compared(run: Path, meta: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[Contents, list[str]]:
    """Return what a checkpoint's `meta` says of a run's files, and which of them are `damaged`.

    A run that ended there, by its `status`, may have a last row that is written again where it continues.
    """
    finished = status.get("status") == "finished" and status.get("step") == meta["step"]
    contents = contents_of(meta) or {}
    if finished and contents:
        contents = {**contents, **meta["run"]["at_end"]}
    return contents, damaged(run, contents, finished)


def damaged(run: Path, contents: Contents, finished: bool = False) -> list[str]:
    """Return the files of a run that are not what a checkpoint says of them, or are not there.

    Event files may have become longer since, and so may the rows where the run is not `finished`.
    """
    sound = sound_files(run, contents, finished)
    return [name for name in contents if name not in sound]


def sound_files(run: Path, contents: Contents, finished: bool = False) -> dict[str, Tally]:
    """Return the files that are not `damaged`, counted as far as the checkpoint did."""

    def counted(name: str) -> Tally | None:
        grows = name.startswith(EVENTS) or (name in (METRICS, TIMING) and not finished)
        with suppress(FileNotFoundError, IsADirectoryError):
            tally = tally_of(run / name, contents[name]["bytes"] if grows else None)
            return tally if tally.content == contents[name] else None
        return None

    from concurrent.futures import ThreadPoolExecutor  # what lists runs does without it

    with ThreadPoolExecutor() as pool:
        return {name: tally for name, tally in zip(contents, pool.map(counted, contents), strict=True) if tally}
