"""The space of a search, read from Hydra's sweep syntax: what is fixed, and the bounds or choices of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.sweeps.cells import Cell, checked_cell, is_about_sweep


class Axis(NamedTuple):
    """One key of the search."""

    key: str  # as an override has it
    text: str  # the values as they were typed
    choices: tuple[str, ...] = ()  # overrides' values to choose from; () for numbers
    low: float = 0  # whole, as `high` is, where the numbers are whole ones
    high: float = 0  # may be chosen too
    step: float | None = None  # between two numbers; None: any number
    log: bool = False  # numbers are drawn by their logarithm

    @property
    def ends(self) -> list[str]:
        """Overrides that show whether all others could run: every choice, or the first and the last number."""
        return [f"{self.key}={value}" for value in self.choices or (self.low, self.high)]


class Space(NamedTuple):
    """What a search may choose."""

    fixed: list[str]  # overrides of every trial
    axes: list[Axis]  # what differs between trials


def space(overrides: Sequence[Override]) -> Space:
    """Sort overrides into what is fixed and what is searched; of two for one key the later counts.

    Raises:
        UserError: values that cannot be searched, or none at all.
    """
    kept = {key: override for override in overrides if not is_about_sweep(key := override.get_key_element())}
    axes = [_axis(key, override) for key, override in kept.items() if override.is_sweep_override()]
    if not axes:
        raise UserError(
            "sweep=optuna: there is nothing to search; give a key values, such as "
            "'optimizer.lr=tag(log,interval(1e-5,1e-3))' or loss=wgan,hinge"
        )
    fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in kept.items() if not o.is_sweep_override()]
    if "run_dir" in kept:
        raise UserError("run_dir: each trial has its own, below the directory that sweep.name names; leave it out")
    return Space(fixed, axes)


def check(found: Space, config_of: Callable[[list[str]], Config]) -> list[Cell]:
    """Return trials that show, all of them checked, that each end of each axis can run beside the first of the others.

    Args:
        found: the space.
        config_of: returns the checked config of a trial's overrides.

    Raises:
        UserError: the first trial that cannot run, and why.
    """
    first = [axis.ends[0] for axis in found.axes]
    trials = [first]
    for i, axis in enumerate(found.axes):
        trials += [[*first[:i], end, *first[i + 1 :]] for end in axis.ends[1:]]
    return [checked_cell([*found.fixed, *trial], config_of, f"a trial with {' '.join(trial)}") for trial in trials]


def _axis(key: str, override: Override) -> Axis:
    value, text = override.value(), override.input_line.partition("=")[2]
    tags = value.tags if isinstance(value, Sweep) else set()
    if tags - {"log"}:
        raise UserError(f"{key}={text}: tag(log, ...) is the only tag that a search knows")
    log = "log" in tags
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        step = 1 if isinstance(low, int) else None
    elif isinstance(value, RangeSweep):
        numbers = [float(n) if "." in n or "e" in n else int(n) for n in override.sweep_string_iterator()]
        if len(numbers) < 2:
            raise UserError(f"{key}={text}: holds fewer than two values")
        low, high, step = min(numbers), max(numbers), abs(value.step)
    else:
        if log:
            raise UserError(f"{key}={text}: tag(log, ...) is for an interval of numbers")
        return Axis(key, text, tuple(dict.fromkeys(override.sweep_string_iterator())))
    if not low < high:
        raise UserError(f"{key}={text}: must begin below its end")
    if log and (low <= 0 or (step is not None and step != 1)):
        raise UserError(f"{key}={text}: tag(log, ...) needs numbers above 0, and no steps between them")
    return Axis(key, text, (), low, high, step, log)
