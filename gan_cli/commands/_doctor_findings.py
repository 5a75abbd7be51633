"""Results of a check as aligned plain text with marked problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gan_cli.core.text import one_line


class Finding(NamedTuple):
    """One line: its subject, the result, and whether it is a problem."""

    name: str
    text: str
    wrong: bool = False


def table(title: str, findings: Sequence[Finding]) -> str:
    """Return a title with its findings below it; problems are marked with `!`."""
    width = max((len(one_line(f.name)) for f in findings), default=0)
    rows = [f"{'!' if f.wrong else ' '} {one_line(f.name):{width}}  {one_line(f.text)}" for f in findings]
    return "\n".join([title, *rows])
