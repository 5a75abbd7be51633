"""The space of a search, read from Hydra's sweep syntax: what is fixed, and between which values the rest may lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.sweeps.keys import Cell, checked_cell, is_about_sweep


class Axis(NamedTuple):
    """One key of the search.

    Attributes:
        key: as an override has it.
        text: the values as they were typed.
        choices: overrides' values to choose from; () for numbers.
        low: the least number.
        high: the largest one, which may be chosen too.
        step: between two numbers; None: any number.
        log: numbers are drawn by their logarithm.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """The numbers are whole ones."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> list[str]:
        """Overrides that show whether all others could run: every choice, or the first and the last number."""
        values = self.choices or [repr(self.low), repr(self.high)]
        return [f"{self.key}={value}" for value in values]


class Space(NamedTuple):
    """What a search may choose.

    Attributes:
        fixed: overrides of every trial.
        axes: what differs between trials.
    """

    fixed: list[str]
    axes: list[Axis]


def space(overrides: Sequence[Override]) -> Space:
    """Sort overrides into what is fixed and what is searched; of two for one key the later counts.

    Raises:
        UserError: values that cannot be searched, or none at all.
    """
    last = {override.get_key_element(): override for override in overrides}
    for key, override in last.items():
        if is_about_sweep(key) and override.is_sweep_override():
            raise UserError(f"{override.input_line}: one value for the whole sweep")
    kept = {key: override for key, override in last.items() if not is_about_sweep(key)}
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
    tags = set(value.tags) if isinstance(value, Sweep) else set()
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
