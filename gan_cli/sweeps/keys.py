"""Overrides of a grid's cells: their keys, which of them vary, and those that are about the sweep itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gan_cli.core.text import show
from gan_cli.errors import UserError

Cell = tuple[list[str], dict[str, Any]]  # a cell's overrides and its validated settings


def key_of(override: str) -> str:
    """Return an override's key, without the marks before it."""
    return override.lstrip("+~").partition("=")[0]


def is_about_sweep(override: str) -> bool:
    """Tell whether an override is about the command rather than about a run: sweep.name, sweep.jobs, sweep.search.*."""
    return key_of(override).startswith("sweep.")


def varied_keys(cells: Sequence[list[str]]) -> list[str]:
    """Return the keys that have several values, in the order of the command line."""
    values: dict[str, set[str]] = {}
    for overrides in cells:
        for override in overrides:
            values.setdefault(key_of(override), set()).add(override)
    return [key for key, found in values.items() if len(found) > 1]


def refuse_varied_sweep(cells: Sequence[list[str]]) -> None:
    """Refuse a sweep over its own name or size.

    Raises:
        UserError: several values of a key of `sweep`.
    """
    wrong = next((key for key in varied_keys(cells) if key.startswith("sweep.")), None)
    if wrong is not None:
        values = ",".join(sorted({o.partition("=")[2] for cell in cells for o in cell if key_of(o) == wrong}))
        raise UserError(f"{wrong}={show(values)}: one value for the whole sweep")


def refuse_outside_a_sweep(overrides: Sequence[str]) -> None:
    """Refuse what is about a sweep where one run is asked for.

    Raises:
        UserError: a key of `sweep`.
    """
    wrong = next((o for o in overrides if is_about_sweep(o)), None)
    if wrong is not None:
        raise UserError(f"{wrong}: is about a sweep, and this is one run; add -m")
