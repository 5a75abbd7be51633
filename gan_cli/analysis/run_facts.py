"""What a page says of a run at its top: settings, dates, the command and the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gan_cli.analysis import page
from gan_cli.config.names import GROUPS, readable
from gan_cli.core.text import shell_line, show
from gan_cli.runs.directory import CONFIG, SAMPLES
from gan_cli.runs.metrics_log import METRICS
from gan_cli.runs.reading import Run

_FIRST = (
    *(*GROUPS, "seed", "train.steps", "train.batch_size", "updates.n_critic"),
    *("optimizer.lr", "model.width", "dataset.image_size"),
)
_DATE = len("2026-11-21")
_FILES = (CONFIG, "run.json", METRICS, SAMPLES)


def settings(run: Run) -> dict[str, str]:
    """Return all settings as text: options of groups first, then single keys."""
    return {key: show(value) for key, value in readable(run.config, run.choices).items()}


def command(run: Run) -> str:
    """Return the command of the run's first session, or the call from Python; '' where it is not known."""
    first = _first_session(run).get("command")
    if not isinstance(first, list) or not first:
        return ""
    name, *words = map(str, first)
    return shell_line(name, *words) if name == "gan" else f"{name}({words})"


def trained(runs: Sequence[Run]) -> str:
    """Return when the runs were trained; '' where that is not known."""
    times = [one for run in runs for one in (_first_session(run).get("started"), run.status.get("updated")) if one]
    found = sorted({at for text in times if (at := _time(text)) is not None})
    if not found:
        return ""
    first, last = stamp(found[0]), stamp(found[-1])
    if first[:_DATE] == last[:_DATE]:
        last = last[_DATE:].strip()
    return first if first.endswith(last) else f"{first.removesuffix(' UTC')} to {last}"


def stamp(at: datetime) -> str:
    """Return a moment, in UTC, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def first_settings(found: Mapping[str, str]) -> str:
    """Return the settings that say most, as HTML, and the others below them."""
    shown = [f"{key}={found[key]}" for key in _FIRST if found.get(key, "none") not in ("none", "null")]
    others = page.table(["setting", "value"], [list(pair) for pair in found.items()])
    return " ".join(map(page.code, shown)) + page.details(f"all {len(found)} settings", others)


def files(run: Run, out: Path) -> str:
    """Return links from a page in the directory `out` to the run's files that are there."""
    there = {name: run.path / name for name in _FILES if (run.path / name).exists()}
    return page.links(there, out)


def _first_session(run: Run) -> dict[str, Any]:
    sessions = run.status.get("sessions")
    first = sessions[0] if isinstance(sessions, list) and sessions else {}
    return first if isinstance(first, dict) else {}


def _time(text: object) -> datetime | None:
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(str(text))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    return None
