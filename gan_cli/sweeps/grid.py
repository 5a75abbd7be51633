"""The cells of a sweep: expanded, and every one checked before the first one starts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, Sweep
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.arguments import Arguments, key_of
from gan_cli.config.compose import Composer
from gan_cli.config.explain import refuse_without_effect
from gan_cli.config.schema import Config, RunConfig
from gan_cli.config.validate import validate
from gan_cli.core.text import show
from gan_cli.errors import UserError
from gan_cli.sweeps.keys import Cell, checked_cell, is_about_sweep

Check = Callable[[list[str]], Config]


class Request(NamedTuple):
    """A sweep as the command line asks for it.

    Attributes:
        hydra: overrides of Hydra's own block.
        task: of the config, fixed and varied; those of the config's `hydra.sweeper.params` come first.
        cfg: composed with the first value of each varied key.
    """

    hydra: list[str]
    task: list[Override]
    cfg: DictConfig


def cell_name(index: int, total: int | None, overrides: Sequence[str]) -> str:
    """Return 'cell 3 of 6 (loss=wgan_gp seed=1)'; index counts from 0."""
    count = f" of {total}" if total else ""
    return f"cell {index + 1}{count} ({' '.join(overrides)})"


def sweep(
    composer: Composer,
    arguments: Arguments,
    overrides: Sequence[Override],
    multirun: bool,
    by_hydra: Callable[[Composer, Arguments, int | None], int],
) -> int:
    """Run a sweep and return its exit code.

    Args:
        composer: of the command.
        arguments: the command's.
        overrides: parsed.
        multirun: the command line says `-m`.
        by_hydra: runs a sweep whose launcher or sweeper is not ours, of so many cells.

    Raises:
        UserError: the first cell that cannot run, and why.
    """
    request = _request(composer, overrides, multirun)
    own = _is_own(composer.command, request)
    if not str(OmegaConf.select(request.cfg, "hydra.sweeper._target_")).endswith(".BasicSweeper"):
        return by_hydra(composer, arguments, None)

    def checked(cell: list[str]) -> Config:
        config = validate(composer.command, composer.compose([*request.hydra, *cell]), cell)
        if isinstance(config, RunConfig):
            from gan_cli.session.build import check

            check(config)
        return config

    flags = [*_for_jobs(request), *arguments.places()]
    is_search = own and OmegaConf.select(request.cfg, "sweep.search") is not None
    cells = [] if is_search else check_cells(expand(request.task), checked)
    if not own:
        return by_hydra(composer, arguments, len(cells))
    from gan_cli.sweeps import run  # imports torch: a wrong cell is told before

    return run.search(request.task, checked, flags) if is_search else run.grid(cells, flags)


def check_cells(cells: Sequence[list[str]], checked: Check) -> list[Cell]:
    """Return every cell with its config.

    Raises:
        UserError: the first cell that cannot run, and why; a sweep over its own name or size; two cells of one run_dir.
    """
    found = [checked_cell(cell, checked, cell_name(i, len(cells), cell)) for i, cell in enumerate(cells)]
    given = [d for cell in found if (d := getattr(cell.config, "run_dir", None)) is not None]
    twice = next((d for d in given if given.count(d) > 1), None)
    if twice is not None:
        raise UserError(
            f"run_dir={show(twice)}: {given.count(twice)} cells of the sweep would write there; leave it out, or give "
            "each its own"
        )
    return found


def expand(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the grid of a sweep: every combination of values, the last key varying fastest.

    Raises:
        UserError: values that cannot be counted, none at all, or several of a key about the sweep.
    """
    axes = []
    for override in overrides:
        if not override.is_sweep_override():
            axes.append([override.input_line])
            continue
        if is_about_sweep(override.input_line):
            values = override.input_line.partition("=")[2]
            raise UserError(f"{override.get_key_element()}={show(values)}: one value for the whole sweep")
        if not override.is_discrete_sweep():
            raise UserError(f"{override.input_line}: a grid cannot hold every number of an interval; add sweep=optuna")
        values = _values(override)
        if not values:
            raise UserError(f"{override.input_line}: holds no value, so there is nothing to run")
        axes.append([f"{override.get_key_element()}={value}" for value in values])
    return [list(cell) for cell in itertools.product(*axes)]


def _request(composer: Composer, overrides: Sequence[Override], multirun: bool) -> Request:
    first = composer.compose([_first(o) for o in overrides])
    if not multirun and first.hydra.mode != RunMode.MULTIRUN:
        swept = next(o for o in overrides if o.is_sweep_override())
        key = swept.get_key_element()
        as_list = "" if composer.options(key) else f", or write a list as {key}=[...]"
        raise UserError(f"{swept.input_line}: several values are a sweep; add -m{as_list}")
    params = [f"{key}={value}" for key, value in (OmegaConf.select(first, "hydra.sweeper.params") or {}).items()]
    of_config = composer.parse(params)
    own = [o for o in overrides if not o.is_hydra_override()]
    task = {o.get_key_element(): o for o in [*of_config, *own]}  # of two for one key the later counts
    hydra = [o.input_line for o in overrides if o.is_hydra_override()]
    return Request(hydra, list(task.values()), first)


def _is_own(command: str, request: Request) -> bool:
    """Tell whether a sweep's jobs are ours to start; the other launchers and sweepers of Hydra do it themselves.

    Raises:
        UserError: keys of `sweep` for another launcher or sweeper, or a key of Hydra's that ours has no use for.
    """
    cfg = request.cfg
    kinds = {
        key: str(OmegaConf.select(cfg, f"hydra.{key}._target_") or "none").rpartition(".")[2]
        for key in ("sweeper", "launcher")
    }
    ours = command == "train" and kinds == {"sweeper": "BasicSweeper", "launcher": "BasicLauncher"}
    if ours and cfg.hydra.sweeper.get("max_batch_size") is not None:
        raise UserError("hydra.sweeper.max_batch_size: how many jobs run at once is sweep.jobs=2")
    if ours:
        refuse_without_effect(request.hydra)
    given = [o.input_line for o in request.task if is_about_sweep(o.input_line)]
    if OmegaConf.select(cfg, "sweep.search") is not None:
        given = given or ["sweep.search"]
    if given and not ours:
        kind = next((f"hydra.{key}={name}" for key, name in kinds.items() if not name.startswith("Basic")), command)
        raise UserError(f"{given[0]}: is for jobs that gan starts itself, and {kind} starts them here; leave it out")
    return ours


def _for_jobs(request: Request) -> list[str]:
    """Return the overrides of Hydra's block that each job gets too."""
    elsewhere = ("hydra.mode", "hydra.sweep", "hydra.launcher", "hydra/launcher", "hydra/sweeper")
    kept = [o for o in request.hydra if not key_of(o).startswith(elsewhere)]
    config_asks = OmegaConf.select(request.cfg, "hydra.sweeper.params") or request.cfg.hydra.mode == RunMode.MULTIRUN
    return [*kept, "hydra.mode=RUN"] if config_asks else kept


def _first(override: Override) -> str:
    if not override.is_sweep_override():
        return override.input_line
    value: Sweep = override.value()
    if isinstance(value, IntervalSweep):
        return f"{override.get_key_element()}={value.start}"
    values = _values(override)
    if not values:
        raise UserError(f"{override.input_line}: holds no value, so there is nothing to run")
    return f"{override.get_key_element()}={values[0]}"


def _values(override: Override) -> list[str]:
    try:
        return list(override.sweep_string_iterator())
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error
