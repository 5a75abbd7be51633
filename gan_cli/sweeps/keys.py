"""The overrides of a sweep's cells: which keys vary, and which are about the sweep itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gan_cli.config.explain import key_of
from gan_cli.config.schema import Config


class Cell(NamedTuple):
    """One combination of a sweep's values.

    Attributes:
        overrides: all of them.
        config: validated.
    """

    overrides: list[str]
    config: Config


def is_about_sweep(override: str) -> bool:
    """Return whether an override is about the command rather than about a run: sweep.name, sweep.search.* ..."""
    return key_of(override).startswith("sweep.")


def varied_keys(cells: Sequence[list[str]]) -> list[str]:
    """Return the keys that have several values, in the order of the command line."""
    values: dict[str, set[str]] = {}
    for overrides in cells:
        for override in overrides:
            values.setdefault(key_of(override), set()).add(override)
    return [key for key, found in values.items() if len(found) > 1]
