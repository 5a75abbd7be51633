"""Finds runs by what their user calls them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.core.places import require_text
from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError
from gan_cli.runs import exported, reading
from gan_cli.runs.directory import ROOT, STATUS

if TYPE_CHECKING:  # pages and `gan doctor` need no pydantic
    from gan_cli.config.schema import ConfigType

LATEST = "latest"
_SHOWN = 5  # runs that a message names


def find(name: str | Path, key: str = "run=") -> Path:
    """Return the directory of a run, or of several, by its path, its name in runs/, the end of that, or `latest`.

    Args:
        name: the path, or what it is called.
        key: stands before it in an error.

    Raises:
        UserError: there is none, or several.
    """
    require_text([os.fspath(name)])
    runs = reading.below(ROOT)
    if name == LATEST and not Path(name).is_dir():
        if not runs:
            raise UserError(f"{key}latest: there is no run in {ROOT}")
        return max(runs, key=_written)
    for path in (Path(name), ROOT / name):
        if _is_one(path) or (path.is_dir() and reading.below(path)):
            return path
    ends = [path for path in runs if str(path).endswith(os.fspath(name))]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{key}{name}: {len(ends)} runs end like this: {_listed(ends)}")
    if Path(name).is_dir():
        raise UserError(f"{key}{name}: this directory is not a run, and has no runs in it")
    hint = did_you_mean(str(name), [path.name for path in runs])
    raise UserError(f"{key}{name}: no such run{hint or '; `gan runs` shows the runs here'}")


def find_directory(name: str) -> Path:
    """Return a directory by its path, or a run, or several, by what `find` takes.

    Raises:
        UserError: there is none.
    """
    return Path(name) if Path(name).is_dir() and name != LATEST else find(name, "")


def find_one(name: str, key: str = "run=") -> str:
    """Return the path of one run by what `find` takes; what else is there, and is no directory of runs, as it is.

    Raises:
        UserError: there is none, or several.
    """
    path = Path(name)
    if _is_one(path) or (path.exists() and not (path.is_dir() and reading.below(path))):
        return name  # also what is damaged, or no run: what reads it says more
    if _is_one(found := find(name, key)):
        return str(found)
    runs = reading.below(found)
    raise UserError(f"{key}{name}: {found} has {len(runs)} runs, and one is needed: {_listed(runs)}")


def located(config: ConfigType) -> ConfigType:
    """Return a command's config with the path of the run that it names, and of the one that it begins with.

    Raises:
        UserError: as `find_one`.
    """
    named = {key: name for key in ("run", "init_from") if (name := getattr(config, key, None)) is not None}
    return config.replace(**{key: find_one(name, f"{key}=") for key, name in named.items()}) if named else config


def _is_one(path: Path) -> bool:
    return reading.is_run(path) or exported.is_export(path)


def _listed(runs: Sequence[Path]) -> str:
    return ", ".join(map(str, runs[:_SHOWN])) + ", ..." * (len(runs) > _SHOWN)


def _written(run: Path) -> int:
    """Return when a run's status was written last, in nanoseconds; 0 before the first time."""
    return (run / STATUS).stat().st_mtime_ns if (run / STATUS).exists() else 0
