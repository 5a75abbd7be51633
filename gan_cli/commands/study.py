"""Rerun claims of papers: a figure, our numbers beside theirs, and whether each claim held."""

from __future__ import annotations

import io
import math
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gan_cli.commands._results import as_json, write
from gan_cli.commands._study_pages import FIGURE, RESULT
from gan_cli.commands._study_pages import write as write_pages
from gan_cli.config.arguments import CommandLine
from gan_cli.config.command_schemas import StudyConfig
from gan_cli.config.tree import directories_with, groups, option_file
from gan_cli.core.places import place
from gan_cli.core.text import columns, print_error, say
from gan_cli.errors import GanError, Interrupted, UserError

if TYPE_CHECKING:
    from gan_cli.studies.running import Outcome

ALL = "all"  # the option that is every study


def study(config: StudyConfig, line: CommandLine) -> None:
    """Run a study and print its table with the paths of its files; without a name, list the studies.

    Raises:
        UserError: the study, or a run of it, cannot be run.
        GanError: a run stopped early; the same command continues it.
    """
    chosen, directories = line.choices.get("study"), directories_with(line.config_dir)
    if chosen is None:
        say("\n".join(_list(directories)))
    elif chosen == ALL:
        _every(config, line, directories)
    else:
        _one(chosen, config, line)
    if config.docs:
        write_pages(place(config.docs, Path()), _meanings(directories))


def _meanings(directories: list[Path]) -> dict[str, str]:
    """Return name -> claim and paper of every study."""
    found = groups(*directories)["study"]
    return {name: text for name, text in found.items() if name != ALL}


def _list(directories: list[Path]) -> list[str]:
    """Return the studies as lines, with the minutes that the quick form takes."""
    rows = []
    for name, text in _meanings(directories).items():
        path = option_file("study", name, directories)
        minutes = yaml.safe_load(path.read_text(encoding="utf-8")).get("minutes")
        rows.append((name, f"{minutes:g} min" if isinstance(minutes, (int, float)) else "?", text))
    return [
        *columns(rows),
        "",
        "The time is that of the quick form on two CPU cores. gan study NAME runs one, gan study all runs all.",
    ]


def _every(config: StudyConfig, line: CommandLine, directories: list[Path]) -> None:
    """Run every study; one that fails does not stop the others.

    Raises:
        GanError: one of them failed.
    """
    from gan_cli.api.request import requested

    if config.out:
        raise UserError(f"out={config.out}: is one study's directory, and these are all; leave it out")
    failed = []
    others = [word for word in line.overrides if word != f"study={ALL}"]
    for name in _meanings(directories):
        request = requested("study", [f"study={name}", *others], line.config_dir)
        try:
            _one(name, request.config, line)
        except Interrupted:
            raise
        except GanError as error:
            print_error(error, f"{name}: ")
            failed.append(name)
    if failed:
        raise GanError(f"{len(failed)} studies failed: {', '.join(failed)}; the same command continues them")


def _one(name: str, config: StudyConfig, line: CommandLine) -> None:
    from gan_cli.studies.running import run_study

    found = run_study(name, config, line.config_dir, lambda text: say(text, sys.stderr))
    picture = io.BytesIO()
    found.finding.figure.savefig(picture, format="png")
    write(found.path, {FIGURE: picture.getvalue(), RESULT: as_json(_content(found, config))})
    say(found.path / FIGURE)
    say(found.path / RESULT)
    heads = ("claim", "published", "ours", "tolerance", "verdict")
    cells = [(r.claim.text, f"{r.claim.published}", f"{r.found}", r.claim.tolerance, r.verdict) for r in found.rows]
    say("\n".join(["", *found.finding.lines, "", *columns([heads, *cells]), ""]))


def _content(found: Outcome, config: StudyConfig) -> dict[str, Any]:
    """Return what study.json holds."""
    claims = {}
    for key, row in zip(found.study.claims, found.rows, strict=True):
        value, low, high = (number if math.isfinite(number) else None for number in row.found)
        ours = {"value": value, "interval": [low, high], "shown": f"{row.found}", "verdict": row.verdict}
        claims[key] = {**row.claim.model_dump(), "tolerance": row.claim.tolerance, **ours}
    return {
        "study": found.name,
        "full": config.full,
        "seeds": [*found.seeds],
        "overrides": config.overrides,
        "claims": claims,
        "lines": [*found.finding.lines],
        "notes": found.study.notes,
        "numbers": found.finding.numbers,
        "date": date.today().isoformat(),
        "machine": "; ".join(found.machines),
    }
