"""Results of a check as aligned plain text with marked problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gan_cli.core.text import one_line

_GB, _MB, _KB = 1e9, 1e6, 1e3


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


def any_wrong(findings: Iterable[Finding]) -> bool:
    """Return whether any finding is a problem."""
    return any(f.wrong for f in findings)


def size(count: float) -> str:
    """Return a number of bytes in a readable unit, such as 51.2 MB."""
    for unit, word in ((_GB, "GB"), (_MB, "MB"), (_KB, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {word}"
    return f"{int(count)} bytes"
