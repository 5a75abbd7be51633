"""Checks every cell of a sweep before the first one starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gan_cli.compose import Composer
from gan_cli.config import validate
from gan_cli.errors import UserError
from gan_cli.wording import one_line, show


def cell_name(index: int, total: int | None, overrides: Sequence[str]) -> str:
    """Return 'cell 3 of 6 (loss=wgan_gp seed=1)'; index counts from 0."""
    count = f" of {total}" if total else ""
    return f"cell {index + 1}{count} ({' '.join(overrides)})"


def preflight(composer: Composer, cfg: DictConfig) -> list[list[str]] | None:
    """Return the overrides of every cell, all of them checked: names and values first, then, with torch, what fits.

    Args:
        composer: of the command.
        cfg: the sweep's own config.

    Returns:
        a list of overrides a cell; None for sweepers that choose their cells as they go.

    Raises:
        UserError: the first cell that cannot run, and why.
    """
    if not str(cfg.hydra.sweeper.get("_target_", "")).endswith(".BasicSweeper"):
        return None
    cells = expand(composer, cfg)
    fixed = OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False)

    def settings_of(cell: list[str]) -> dict:
        return validate(composer.compose([*fixed, *cell]), cell, composer.command)

    settings = [_checked(settings_of, cell, i, cells) for i, cell in enumerate(cells)]
    if composer.command == "train":
        _check_run_dirs(settings)
        from gan_cli.build import check

        for i, cell in enumerate(cells):
            _checked(lambda _, i=i: check(settings[i]), cell, i, cells)
    return cells


def expand(composer: Composer, cfg: DictConfig) -> list[list[str]]:
    """Return the grid of a sweep, as Hydra's basic sweeper walks it.

    Raises:
        UserError: a kind of sweep that it cannot walk.
    """
    words = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
    words += OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False)
    try:
        overrides = OverridesParser.create(config_loader=composer.loader).parse_overrides(words)
        (cells,) = BasicSweeper.split_arguments(overrides, None)
    except HydraException as error:
        raise UserError(f"the sweep cannot be expanded: {one_line(error)}") from error
    return cells


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
