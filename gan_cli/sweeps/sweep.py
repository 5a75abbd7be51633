"""The cells of a sweep: expanded, and every one checked before the first one starts."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.arguments import Arguments, key_of
from gan_cli.config.compose import Composer
from gan_cli.config.explain import refuse_without_effect
from gan_cli.config.schema import Config, RunConfig
from gan_cli.config.validate import validate
from gan_cli.core.text import show
from gan_cli.errors import UserError
from gan_cli.sweeps.cells import Cell, checked_cell, is_about_sweep
from gan_cli.sweeps.record import Asker, Swept

Check = Callable[[list[str]], Config]
_PLUGINS = ("sweeper", "launcher")


class Request(NamedTuple):
    """A sweep as the command line asks for it."""

    hydra: list[str]  # overrides of Hydra's own block
    task: list[Override]  # of the config, fixed and varied; those of the config's `hydra.sweeper.params` come first
    cfg: DictConfig  # composed with the first value of each varied key


def cell_name(index: int, total: int | None, overrides: Sequence[str]) -> str:
    """Return 'cell 3 of 6 (loss=wgan_gp seed=1)'; index counts from 0."""
    count = f" of {total}" if total else ""
    return f"cell {index + 1}{count} ({' '.join(overrides)})"


def sweep(
    composer: Composer,
    arguments: Arguments,
    overrides: Sequence[Override],
    multirun: bool,
    by_hydra: Callable[[Composer, Arguments, int | None], Swept],
    asker: Asker,
) -> Swept:
    """Run a sweep.

    Args:
        composer: of the command.
        arguments: the command's.
        overrides: parsed.
        multirun: the command line says `-m`.
        by_hydra: runs a sweep whose launcher or sweeper is not ours, of so many cells.
        asker: who asks for it.

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
    from gan_cli.sweeps import run  # imports torch: a wrong cell is refused before

    return run.search(request.task, checked, flags, asker) if is_search else run.grid(cells, flags, asker)


def check_cells(cells: Sequence[list[str]], checked: Check) -> list[Cell]:
    """Return every cell with its config.

    Raises:
        UserError: the first cell that cannot run, and why; a sweep over its own name or size; two cells of one run_dir.
    """
    found = [checked_cell(cell, checked, cell_name(i, len(cells), cell)) for i, cell in enumerate(cells)]
    given = Counter(getattr(cell.config, "run_dir", None) for cell in found)
    for path, count in given.items():
        if path is not None and count > 1:
            raise UserError(
                f"run_dir={show(path)}: {count} cells of the sweep would write there; leave it out, or give "
                "each its own"
            )
    return found


def expand(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the grid of a sweep: every combination of values, the last key varying fastest.

    Raises:
        UserError: values that cannot be counted, or none at all.
    """
    axes = []
    for override in overrides:
        if not override.is_sweep_override():
            axes.append([override.input_line])
            continue
        if not override.is_discrete_sweep():
            raise UserError(f"{override.input_line}: a grid cannot hold every number of an interval; add sweep=optuna")
        axes.append([f"{override.get_key_element()}={value}" for value in _values(override)])
    return [list(cell) for cell in itertools.product(*axes)]


def _request(composer: Composer, overrides: Sequence[Override], multirun: bool) -> Request:
    first = composer.compose([_first(o) for o in overrides])
    if not multirun and first.hydra.mode != RunMode.MULTIRUN:
        swept = next(o for o in overrides if o.is_sweep_override())
        key = swept.get_key_element()
        as_list = "" if composer.options(key) else f", or write a list as {key}=[...]"
        raise UserError(f"{swept.input_line}: several values are a sweep; add -m{as_list}")
    params = OmegaConf.select(first, "hydra.sweeper.params") or {}
    own = [o for o in overrides if not o.is_hydra_override()]
    of_config = composer.parse([f"{key}={value}" for key, value in params.items()])
    task = {o.get_key_element(): o for o in [*of_config, *own]}  # of two for one key the later counts
    for key, override in task.items():
        if is_about_sweep(key) and override.is_sweep_override():
            raise UserError(f"{override.input_line}: one value for the whole sweep")
    hydra = [o.input_line for o in overrides if o.is_hydra_override()]
    return Request(hydra, list(task.values()), first)


def _is_own(command: str, request: Request) -> bool:
    """Return whether a sweep's jobs are ours to start; the other launchers and sweepers of Hydra do it themselves.

    Raises:
        UserError: keys of `sweep` for another launcher or sweeper, or a key of Hydra's that ours has no use for.
    """
    cfg = request.cfg
    kinds = {key: str(OmegaConf.select(cfg.hydra, f"{key}._target_")).rpartition(".")[2] for key in _PLUGINS}
    other = [f"hydra.{key}={name}" for key, name in kinds.items() if not name.startswith("Basic")]
    if command != "train":
        other.append(command)
    if not other:
        if cfg.hydra.sweeper.get("max_batch_size") is not None:
            raise UserError("hydra.sweeper.max_batch_size: how many jobs run at once is sweep.jobs=2")
        refuse_without_effect(request.hydra)
        return True
    given = [o.input_line for o in request.task if is_about_sweep(o.input_line)]
    if given or OmegaConf.select(cfg, "sweep.search") is not None:
        about = (given or ["sweep.search"])[0]
        raise UserError(f"{about}: is for jobs that gan starts itself, and {other[0]} starts them here; leave it out")
    return False


def _for_jobs(request: Request) -> list[str]:
    """Return the overrides of Hydra's block that each job gets too."""
    kept = [o for o in request.hydra if key_of(o) == "hydra.searchpath"]
    config_asks = OmegaConf.select(request.cfg, "hydra.sweeper.params") or request.cfg.hydra.mode == RunMode.MULTIRUN
    return [*kept, "hydra.mode=RUN"] if config_asks else kept


def _first(override: Override) -> str:
    if not override.is_sweep_override():
        return override.input_line
    value = override.value()
    first = value.start if isinstance(value, IntervalSweep) else _values(override)[0]
    return f"{override.get_key_element()}={first}"


def _values(override: Override) -> list[str]:
    try:
        values = list(override.sweep_string_iterator())
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error
    if not values:
        raise UserError(f"{override.input_line}: holds no value, so there is nothing to run")
    return values
