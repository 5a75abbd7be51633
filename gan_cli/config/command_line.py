"""What a command gets beside its config."""

from __future__ import annotations

from typing import NamedTuple


class CommandLine(NamedTuple):
    """What the command line says of names.

    Attributes:
        overrides: as they were typed.
        choices: the option chosen of each group.
    """

    overrides: list[str]
    choices: dict[str, str]
