"""Helpers of the commands that write an HTML page about runs: which runs, where the page goes, its files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from gan_cli.core.text import shell_line
from gan_cli.errors import UserError
from gan_cli.runs.reading import Run, is_run

_MOST_LISTED = 8  # files beside a page that are not folded away


def gather(paths: Sequence[Path]) -> list[Run]:
    """Return the runs that these directories are or contain.

    Raises:
        UserError: no such directory, or no run in it.
    """
    from gan_cli.analysis import comparison

    runs = comparison.gather(paths)
    runs = [run for run in runs if run.config]
    if not runs:
        raise UserError(f"{' '.join(map(str, paths))}: no run with a config.yaml; see `gan runs` for the runs here")
    return runs


def common(paths: Sequence[Path]) -> Path:
    """Return the common directory of these paths."""
    if len(paths) == 1 and not is_run(paths[0]):
        return paths[0]
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))


def require_writable(out: Path) -> None:
    """Raise an error for a directory that cannot be written, before any work is done for it.

    Raises:
        UserError: the directory cannot be written.
    """
    existing = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"--out {out}: {existing} is not a writable directory; choose another one")


def made_by(command: Sequence[str], files: Iterable[str]) -> dict[str, str]:
    """Return how a page was made, and links to the files beside it: plain text -> HTML.

    Args:
        command: the words of the command line.
        files: names of the files in the page's directory.
    """
    from gan_cli.analysis import page
    from gan_cli.analysis.run_facts import stamp

    beside = [page.link(name, name) for name in files]
    listed = ", ".join(beside)
    return {
        "Page": f"{stamp(datetime.now(timezone.utc))}, {page.code(shell_line(*command))}",
        "Beside it": listed if len(beside) <= _MOST_LISTED else page.details(f"{len(beside)} files", listed),
    }
