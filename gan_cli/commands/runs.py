"""Show the runs here with state, parts, steps, score and age."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gan_cli.config.arguments import Parser
from gan_cli.config.names import option, readable
from gan_cli.core.curves import better
from gan_cli.core.text import columns, did_you_mean, one_line, say, show, terminal_width
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.directory import ROOT
from gan_cli.runs.finding import find_directory
from gan_cli.runs.reading import Run

_EPILOG = """\
KEY=VALUE shows only runs with this value; KEY: state, loss, model, dataset, steps or any key of config.yaml;
* stands for any text. Examples:
gan runs state=failed, gan runs 'loss=wgan*' seed=0, gan runs runs/SWEEP --sort score"""
_COLUMNS = ("run", "state", "loss", "model", "dataset", "steps", "score", "age")
_PARTS = ("dataset", "model", "loss")  # columns that a narrow terminal can do without, in this order
_LEAST = 20  # characters of a run that are shown; its end is enough for every command
_SORTS = ("run", "state", "steps", "score", "age")


def main(argv: list[str]) -> int:
    """Print a table, or JSON.

    Raises:
        UserError: no such directory, or a filter for a key that no run has.
    """
    parser = Parser(prog="gan runs", description=__doc__, epilog=_EPILOG)
    parser.add_argument(
        "words", nargs="*", metavar="DIR or KEY=VALUE", help="directory of runs (default: runs), or a filter"
    )
    parser.add_argument(
        "--sort",
        choices=_SORTS,
        default="run",
        help="column to sort by (default: run); with age, the newest run is last",
    )
    parser.add_argument("--tag", help="tag of metrics.jsonl for the score (default: the critic's own estimate)")
    parser.add_argument("--json", action="store_true", help="print an array of objects with all settings")
    arguments = parser.parse_args(argv)
    filters = dict(word.split("=", 1) for word in arguments.words if "=" in word and not Path(word).exists())
    words = [word for word in arguments.words if "=" not in word or Path(word).exists()]
    directories = list(map(find_directory, words)) or [ROOT]
    found = [reading.run_at(path) for directory in directories for path in _below(directory)]
    now = datetime.now(timezone.utc)
    settings = bool(filters) or arguments.json
    rows = [_row(run, arguments.tag, now, settings) for run in found]
    rows = _passing(rows, filters)
    rows.sort(key=lambda row: _order(row, arguments.sort))
    kinds = {row["tag"] for row in rows if row["tag"] is not None} if arguments.sort == "score" else {}
    if arguments.json:
        say(json.dumps([{k: v for k, v in row.items() if not k.startswith("_")} for row in rows], indent=1))
    else:
        say(_table(rows) if rows else "no run" + (" matches the filters" if found else "s here"))
        if len(kinds) > 1:
            say("\nScores of different kinds cannot be compared: each is sorted by itself, the best first.")
    return 0


def _below(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; `gan train` creates runs/")
    return reading.below(directory)


def _row(run: Run, tag: str | None, now: datetime, settings: bool) -> dict[str, Any]:
    tag = tag or run.standing.tag
    value = run.standing.row.get(tag)
    return {
        "run": str(run.path),
        "state": run.state,
        **{group: option(group, run.config, run.choices) for group in ("loss", "model", "dataset")},
        "step": run.step,
        "steps": run.total_steps,
        "tag": tag if value is not None else None,
        "score": value,
        "updated": run.status.get("updated"),
        "reason": run.status.get("reason") or "",
        "settings": readable(run.config, run.choices) if settings else {},
        "_age": _seconds(run.status.get("updated"), now),
    }


def _passing(rows: list[dict[str, Any]], filters: dict[str, str]) -> list[dict[str, Any]]:
    known = {key for row in rows for key in (*row, *row["settings"]) if not key.startswith("_")}
    for key in filters:
        if rows and key not in known:
            raise UserError(f"{key}={show(filters[key])}: no run has {key}{did_you_mean(key, known)}")

    def passes(row: dict[str, Any]) -> bool:
        values = {**row["settings"], **{k: v for k, v in row.items() if k != "settings"}}
        return all(fnmatchcase(show(values.get(key)), pattern) for key, pattern in filters.items())

    return [row for row in rows if passes(row)]


def _order(row: dict[str, Any], by: str) -> tuple[Any, ...]:
    if by == "score":
        value = None if row["score"] is None else -row["score"] if better(row["tag"]) == "higher" else row["score"]
        return (value is None, row["tag"] or "", value or 0.0, row["run"])
    value = row["step"] if by == "steps" else row["_age"] if by == "age" else row[by]
    missing = value is None
    return (missing, 0 if missing else -value if by == "age" else value, row["run"])


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table that fits the terminal, if there is one: without what all runs share, then with less of each."""
    cells = {column: [one_line(_cell(row, column)) for row in rows] for column in _COLUMNS}
    width = terminal_width()
    shared = []

    def excess() -> int:
        return sum(max(map(len, [column, *found])) + 2 for column, found in cells.items()) - 2 - width

    if excess() > 0 and len(rows) > 1 and len({row["tag"] for row in rows}) == 1 and rows[0]["tag"]:
        shared.append(f"score {rows[0]['tag']}")
        cells["score"] = [text.rpartition(" ")[2] for text in cells["score"]]
    for column in _PARTS if len(rows) > 1 else ():
        if excess() > 0 and len(set(cells[column])) == 1:
            shared.append(f"{column} {cells.pop(column)[0]}")
    if excess() > 0:
        cells["score"] = [text.rpartition("/")[2] for text in cells["score"]]
    if (more := excess()) > 0:
        most = max(_LEAST, max(map(len, cells["run"])) - more)
        cells["run"] = [run if len(run) <= most else "…" + run[1 - most :] for run in cells["run"]]
    for column in _PARTS:
        if excess() > 0:
            cells.pop(column, None)
    lines = columns([tuple(cells), *zip(*cells.values(), strict=True)])
    return "\n".join([f"all: {', '.join(shared[::-1])}", *lines] if shared else lines)


def _cell(row: dict[str, Any], column: str) -> str:
    if column == "steps":
        return f"{row['step']}/{row['steps']}"
    if column == "score":
        return "-" if row["score"] is None else f"{row['tag']} {row['score']:.4g}"
    if column == "age":
        return age(row["_age"])
    return row[column] or "-"


def _seconds(stamp: object, now: datetime) -> float | None:
    try:
        return max(0.0, (now - datetime.fromisoformat(str(stamp))).total_seconds())
    except (ValueError, TypeError):
        return None


def age(seconds: float | None) -> str:
    """Return a time span in its largest unit, such as 40 s, 3 min, 5 h or 12 d."""
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
