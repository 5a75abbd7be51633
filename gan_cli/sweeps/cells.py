"""The cells of a sweep: expanded from Hydra's syntax, composed, and every one checked before the first one starts."""

from __future__ import annotations

import gc
import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override
from tqdm import tqdm

from gan_cli.config.arguments import key_of
from gan_cli.config.compose import Composer
from gan_cli.config.schema import Config, RunConfig
from gan_cli.config.validate import validate
from gan_cli.core.text import show
from gan_cli.errors import UserError
from gan_cli.sweeps.similar import SimilarComposer

if TYPE_CHECKING:
    from gan_cli.session.build import Outlines

Check = Callable[[Sequence[str]], Config]
_MOST_OUTLINES = 512  # that are kept; each takes about 0.1 MB
_DATA = {"dataset", "dataset_b", "task", "degradation"}  # keys that say what the networks read


class Cell(NamedTuple):
    """One combination of a sweep's values: all of its overrides, and its checked config."""

    overrides: Sequence[str]
    config: Config


class Checker:
    """Composes and checks cells as single runs are; what cells have in common is done once.

    Args:
        composer: of the command.
        hydra: overrides of Hydra's own block, for every cell.
    """

    def __init__(self, composer: Composer, hydra: Sequence[str]) -> None:
        self._command, self._similar, self._hydra = composer.command, SimilarComposer(composer), hydra
        self._checked: set[str] = set()
        self._data: dict[str, tuple[Any, ...]] = {}  # the shape of its samples, their classes, and the sources' shape
        self._outlines: Outlines = {}

    def __call__(self, overrides: Sequence[str]) -> Config:
        """Return the config of a cell.

        Raises:
            UserError: it cannot run.
        """
        config = validate(self._command, self._similar.compose([*self._hydra, *overrides]), overrides)
        if isinstance(config, RunConfig):
            self._check(config)
        return config

    def _check(self, config: RunConfig) -> None:
        same = json.dumps(config.plain() | {"seed": 0, "run_dir": None})  # what is built, but for the values drawn
        if same in self._checked:
            return
        from gan_cli.session.build import check

        data = config.model_dump_json(include=_DATA)
        found = check(config, *self._data.get(data, ()), outlines=self._outlines).parts
        if len(self._outlines) > _MOST_OUTLINES:
            self._outlines.pop(next(iter(self._outlines)))
        if data not in self._data:  # the shape of a folder is known after all of it is listed
            shape, source = found.task.expected_shapes(found.dataset)
            self._data[data] = shape, found.task.expected_classes(found.dataset), source
        self._checked.add(same)


def cell_name(index: int, total: int | None, overrides: Sequence[str]) -> str:
    """Return 'cell 3 of 6 (loss=wgan_gp seed=1)'; index counts from 0."""
    count = f" of {total}" if total else ""
    return f"cell {index + 1}{count} ({' '.join(overrides)})"


def checked_cells(names: Sequence[str], cells: Sequence[Sequence[str]], check: Check) -> list[Cell]:
    """Return cells with their configs; a terminal shows how many are checked, if that takes more than a second.

    Raises:
        UserError: the first that cannot run, its name before the reason unless the sweep's own settings are wrong; two
            cells with one run_dir.
    """
    found = []
    shown = tqdm(cells, "checking", leave=False, delay=1, disable=None, unit=" cells")
    try:
        for name, cell in zip(names, shown, strict=True):
            try:
                found.append(Cell(cell, check(cell)))
            except UserError as error:
                raise error if is_about_sweep(str(error)) else UserError(f"{name}: {error}") from error
            if len(found) == 1:
                gc.freeze()  # to go through what the first has imported, again and again, takes a quarter of the time
    finally:
        gc.unfreeze()  # the caller's objects too are collected again
    given = Counter(getattr(cell.config, "run_dir", None) for cell in found)
    for path, count in given.items():
        if path is not None and count > 1:
            raise UserError(
                f"run_dir={show(path)}: {count} cells of the sweep would write there; leave it out, or give "
                "each its own"
            )
    return found


def expand(overrides: Sequence[Override]) -> list[tuple[str, ...]]:
    """Return the grid of a sweep: every combination of values, the last key varying fastest.

    Raises:
        UserError: values that cannot be counted, or none at all.
    """
    axes = []
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(
                f"{override.input_line}: a grid needs single values, not an interval; list them, or add sweep=optuna"
            )
        axes.append(list(values(override)))
    return list(itertools.product(*axes))


def values(override: Override) -> list[str]:
    """Return an override for each of its values, or for both ends of an interval.

    Raises:
        UserError: it has none.
    """
    if not override.is_sweep_override():
        return [override.input_line]
    value = override.value()
    try:
        found = [value.start, value.end] if isinstance(value, IntervalSweep) else [*override.sweep_string_iterator()]
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error
    if not found:
        raise UserError(f"{override.input_line}: holds no value, so there is nothing to run")
    return [f"{override.get_key_element()}={each}" for each in found]


def is_about_sweep(override: str) -> bool:
    """Return whether an override is about the command rather than about a run: sweep.name, sweep.search.* ..."""
    return key_of(override).startswith("sweep.")


def varied_keys(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the keys that have several values, in the order of the command line."""
    found = dict.fromkeys(itertools.chain.from_iterable(cells))
    counts = Counter(map(key_of, found))
    return [key for key, count in counts.items() if count > 1]
