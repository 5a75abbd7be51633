"""The overrides of a sweep's cells: which keys vary, and which are about the sweep itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from gan_cli.config.arguments import key_of
from gan_cli.config.schema import Config
from gan_cli.errors import UserError


class Cell(NamedTuple):
    """One combination of a sweep's values: all of its overrides, and its checked config."""

    overrides: list[str]
    config: Config


def checked_cell(overrides: list[str], check: Callable[[list[str]], Config], name: str) -> Cell:
    """Return a cell with its config.

    Raises:
        UserError: it cannot run; the cell's name stands before the reason, unless the sweep's own settings are wrong.
    """
    try:
        return Cell(overrides, check(overrides))
    except UserError as error:
        raise error if is_about_sweep(str(error)) else UserError(f"{name}: {error}") from error


def is_about_sweep(override: str) -> bool:
    """Return whether an override is about the command rather than about a run: sweep.name, sweep.search.* ..."""
    return key_of(override).startswith("sweep.")


def varied_keys(cells: Sequence[list[str]]) -> list[str]:
    """Return the keys that have several values, in the order of the command line."""
    values: dict[str, set[str]] = defaultdict(set)
    for override in chain.from_iterable(cells):
        values[key_of(override)].add(override)
    return [key for key, found in values.items() if len(found) > 1]
