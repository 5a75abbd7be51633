"""The space of a search, read from Hydra's sweep syntax: what is fixed, and the bounds or choices of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from gan_cli.core.extras import pip_install
from gan_cli.errors import UserError
from gan_cli.sweeps.cells import Cell, Check, checked_cells

try:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
except ImportError as error:
    raise UserError(f"sweep=optuna: optuna is not installed here; {pip_install('optuna')}") from error


class Axis(NamedTuple):
    """One key of the search."""

    key: str  # as an override has it
    text: str  # the values as they were typed
    values: BaseDistribution  # text to choose from, or numbers between two ends that may be chosen too

    @property
    def ends(self) -> list[str]:
        """Overrides that show whether all others could run: every choice, or the first and the last number."""
        values = self.values
        found = values.choices if isinstance(values, CategoricalDistribution) else (values.low, values.high)
        return [f"{self.key}={value}" for value in found]


class Space(NamedTuple):
    """What a search may choose."""

    fixed: list[str]  # overrides of every trial, and those of the sweep itself
    axes: list[Axis]  # what differs between trials

    @classmethod
    def of(cls, overrides: Sequence[Override]) -> Space:
        """Sort overrides into what is fixed and what is searched.

        Raises:
            UserError: values that cannot be searched, or none at all.
        """
        if any(override.key_or_group == "run_dir" for override in overrides):
            raise UserError("run_dir: each trial has its own, below the directory that sweep.name names; leave it out")
        axes = [_axis(override) for override in overrides if override.is_sweep_override()]
        if not axes:
            raise UserError(
                "sweep=optuna: there is nothing to search; give a key values, such as "
                "'optimizer.lr=tag(log,interval(1e-5,1e-3))' or loss=wgan,hinge"
            )
        return cls([override.input_line for override in overrides if not override.is_sweep_override()], axes)

    def checked(self, check: Check) -> list[Cell]:
        """Return trials that show, all checked, that each end of an axis can run beside the first of the others.

        Args:
            check: returns the config of a trial's overrides.

        Raises:
            UserError: the first trial that cannot run, and why; or no metric to search for.
        """
        first = [axis.ends[0] for axis in self.axes]
        trials = [first]
        for i, axis in enumerate(self.axes):
            trials += [[*first[:i], end, *first[i + 1 :]] for end in axis.ends[1:]]
        names = [f"a trial with {' '.join(trial)}" for trial in trials]
        cells = checked_cells(names, [[*self.fixed, *trial] for trial in trials], check)
        if cells[0].config.sweep.search.metric is None:
            raise UserError(
                "sweep=optuna: a search needs a metric; add sweep.search.metric=TAG, a tag of metrics.jsonl such as "
                "critic/wasserstein_normalised, and sweep.search.direction=maximize where more is better"
            )
        return cells


def _axis(override: Override) -> Axis:
    try:
        return Axis(override.get_key_element(), override.input_line.partition("=")[2], _distribution(override))
    except ValueError as error:  # of Optuna's
        raise UserError(f"{override.input_line}: {error}") from error


def _distribution(override: Override) -> BaseDistribution:
    value, step = override.value(), {}
    tags = value.tags if isinstance(value, Sweep) else set()
    if tags - {"log"} or (tags and not isinstance(value, (IntervalSweep, RangeSweep))):
        raise ValueError("tag(log, ...) is the only tag that a search knows, and it is for an interval of numbers")
    if isinstance(value, IntervalSweep):
        numbers = [value.start, value.end]
    elif isinstance(value, RangeSweep):
        numbers = sorted(float(n) if "." in n or "e" in n else int(n) for n in override.sweep_string_iterator())
        step = {"step": abs(value.step)}
    else:
        return CategoricalDistribution(tuple(dict.fromkeys(override.sweep_string_iterator())))
    kind = IntDistribution if all(isinstance(number, int) for number in numbers) else FloatDistribution
    return kind(numbers[0], numbers[-1], "log" in tags, **step)
