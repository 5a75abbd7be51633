"""Checks every cell of a sweep before the first one starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.compose import Composer
from gan_cli.config.validate import validate
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError
from gan_cli.sweeps.keys import Cell, is_about_sweep, key_of, refuse_varied_sweep


def cell_name(index: int, total: int | None, overrides: Sequence[str]) -> str:
    """Return 'cell 3 of 6 (loss=wgan_gp seed=1)'; index counts from 0."""
    count = f" of {total}" if total else ""
    return f"cell {index + 1}{count} ({' '.join(overrides)})"


def preflight(composer: Composer, cfg: DictConfig) -> list[Cell] | None:
    """Return every cell, all of them checked: names and values first, then, with torch, what fits.

    Args:
        composer: of the command.
        cfg: the sweep's own config.

    Returns:
        overrides and validated settings of each; None for sweepers that choose their cells as they go.

    Raises:
        UserError: the first cell that cannot run, and why.
    """
    if not str(cfg.hydra.sweeper.get("_target_", "")).endswith(".BasicSweeper"):
        return None
    cells = expand(composer, cfg)
    refuse_varied_sweep(cells)
    fixed = OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False)

    def settings_of(cell: list[str]) -> dict:
        return validate(composer.compose([*fixed, *cell]), cell, composer.command)

    settings = [_checked(settings_of, cell, i, cells) for i, cell in enumerate(cells)]
    if composer.command == "train":
        _check_run_dirs(settings)
        from gan_cli.session.build import check

        for i, cell in enumerate(cells):
            _checked(lambda _, i=i: check(settings[i]), cell, i, cells)
    return list(zip(cells, settings, strict=True))


def in_own_processes(command: str, cfg: DictConfig) -> bool:
    """Tell whether a sweep's jobs are ours to start; the other launchers and sweepers of Hydra's do it themselves.

    Raises:
        UserError: keys of `sweep` for another launcher or sweeper, or a key of Hydra's that ours has no use for.
    """
    kinds = {key: str(cfg.hydra[key].get("_target_", "")).rpartition(".")[2] for key in ("sweeper", "launcher")}
    ours = command == "train" and kinds == {"sweeper": "BasicSweeper", "launcher": "BasicLauncher"}
    if ours and cfg.hydra.sweeper.get("max_batch_size") is not None:
        raise UserError("hydra.sweeper.max_batch_size: how many jobs run at once is sweep.jobs=2")
    given = [o for o in OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False) if is_about_sweep(o)]
    if not ours and cfg.get("sweep") and cfg.sweep.get("search"):
        given = given or ["sweep.search"]
    if given and not ours:
        kind = next(f"hydra.{key}={name}" for key, name in kinds.items() if not name.startswith("Basic"))
        raise UserError(f"{given[0]}: is for jobs that gan starts itself, and {kind} starts them here; leave it out")
    return ours


def run_in_own_processes(composer: Composer, cfg: DictConfig, cells: Sequence[Cell], flags: Sequence[str]) -> int:
    """Run a checked sweep and return its exit code.

    Args:
        composer: of the command.
        cfg: the sweep's own config.
        cells: as `preflight` returned them.
        flags: of Hydra on the command line that choose where configs lie.

    Raises:
        UserError: a directory that is something else, or in use.
    """
    kept, one = _for_one_job(composer, cfg, cells[0][0])
    from gan_cli.sweeps.run import run

    return run(cells, OmegaConf.to_container(one.sweep, resolve=True), [*kept, *flags])


def search_in_own_processes(composer: Composer, cfg: DictConfig, flags: Sequence[str]) -> int:
    """Run a search, whose jobs are chosen as it goes, and return its exit code.

    Args:
        composer: of the command.
        cfg: the sweep's own config.
        flags: as for `run_in_own_processes`.

    Raises:
        UserError: a trial that cannot run, nothing to search, or Optuna is not installed.
    """
    from gan_cli.sweeps.space import check, space

    hydras = OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False)
    overrides = _overrides(composer, cfg)
    several = next((o for o in overrides if is_about_sweep(o.input_line) and o.is_sweep_override()), None)
    if several is not None:
        raise UserError(f"{several.input_line}: one value for the whole sweep")
    about = [o for o in OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False) if is_about_sweep(o)]
    if cfg.sweep.search.get("metric") is None:
        raise UserError(
            "sweep=optuna: what is sought? add sweep.search.metric=TAG, a tag of metrics.jsonl such as "
            "critic/wasserstein_normalised, and sweep.search.direction=maximize where more is better"
        )

    found = space(overrides)
    from gan_cli.session import build

    def settings_of(trial: list[str]) -> dict:
        settings = validate(composer.compose([*hydras, *about, *trial]), trial, composer.command)
        build.check(settings)
        return settings

    cells = check(found, settings_of)
    kept, one = _for_one_job(composer, cfg, [*about, *found.fixed, *cells[0][0]])
    from gan_cli.sweeps.run import run_search

    return run_search(found, cells, OmegaConf.to_container(one.sweep, resolve=True), [*kept, *flags])


def _for_one_job(composer: Composer, cfg: DictConfig, cell: Sequence[str]) -> tuple[list[str], DictConfig]:
    """Return the overrides of Hydra's block that each job gets too, and the config of one."""
    fixed = OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False)
    elsewhere = ("hydra.mode", "hydra.sweep", "hydra.launcher", "hydra/launcher", "hydra/sweeper")
    kept = [o for o in fixed if not key_of(o).startswith(elsewhere)]
    one = composer.compose([*kept, *cell])
    if one.hydra.mode == RunMode.MULTIRUN or one.hydra.sweeper.get("params"):  # say configs
        kept.append("hydra.mode=RUN")
    return kept, one


def expand(composer: Composer, cfg: DictConfig) -> list[list[str]]:
    """Return the grid of a sweep, as Hydra's basic sweeper walks it.

    Raises:
        UserError: a kind of sweep that it cannot walk.
    """
    overrides = _overrides(composer, cfg)
    endless = next((o for o in overrides if o.is_sweep_override() and not o.is_discrete_sweep()), None)
    if endless is not None:
        raise UserError(f"{endless.input_line}: a grid cannot hold every number of an interval; add sweep=optuna")
    try:
        for override in overrides:
            if override.is_sweep_override() and not any(True for _ in override.sweep_string_iterator()):
                raise UserError(f"{override.input_line}: holds no value, so there is nothing to run")
        (cells,) = BasicSweeper.split_arguments(overrides, None)
    except (HydraException, ValueError) as error:
        raise UserError(f"the sweep cannot be expanded: {one_line(error)}") from error
    return cells


def _overrides(composer: Composer, cfg: DictConfig) -> list[Override]:
    """Return what is varied and what is not: of the config, then of the command line, which counts."""
    words = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
    words += OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False)
    try:
        return OverridesParser.create(config_loader=composer.loader).parse_overrides(words)
    except HydraException as error:
        raise UserError(f"the sweep cannot be expanded: {one_line(error)}") from error


def _checked(check: Callable[[list[str]], dict], cell: list[str], index: int, cells: list[list[str]]) -> dict:
    try:
        return check(cell)
    except UserError as error:
        raise UserError(f"{cell_name(index, len(cells), cell)}: {error}") from error


def _check_run_dirs(settings: Sequence[dict]) -> None:
    """Refuse two cells that would write to one run directory."""
    given = [s["run_dir"] for s in settings if s["run_dir"] is not None]
    twice = next((d for d in given if given.count(d) > 1), None)
    if twice is not None:
        raise UserError(
            f"run_dir={show(twice)}: {given.count(twice)} cells of the sweep would write there; leave it out, or give "
            "each its own"
        )
