"""Runs a command that Hydra configures: checks its whole config first, then leaves the run or the sweep to Hydra."""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli.cli import tell
from gan_cli.config.arguments import Arguments, parse, quoted_override, split_positional
from gan_cli.config.compose import VERSION_BASE, Composer
from gan_cli.config.tree import chosen_groups, conf_dir, groups, positional_key, top_keys
from gan_cli.core.processes import processes
from gan_cli.core.text import one_line
from gan_cli.errors import GanError, Interrupted, UserError
from gan_cli.sweeps.keys import Cell, refuse_outside_a_sweep


class _Stop(BaseException):
    """Ends Hydra's loop over the jobs of a sweep, which goes on after an Exception."""


def launch(command: str, argv: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Args:
        command: the name of a primary config and of a module in commands/.
        argv: what follows it on the command line.

    Raises:
        GanError: anything wrong, before anything is written.
    """
    conf = conf_dir()
    arguments = _with_positional(parse(argv), conf / f"{command}.yaml")
    conf, name = _main_config(arguments, conf, command)
    composer = Composer.create(command, conf, name, arguments.flags.get("--config-dir"))
    overrides = arguments.overrides
    sweeps = "--multirun" in arguments.flags or any(o.lower() == "hydra.mode=multirun" for o in overrides)
    if arguments.shows:
        return _show(arguments, conf, name, composer)
    composer.check(overrides)
    cfg = composer.compose(overrides, sweep=sweeps)
    cells: list[Cell] | None = None
    if sweeps or cfg.hydra.mode == RunMode.MULTIRUN:
        if processes().size > 1:
            raise UserError("-m: torchrun's processes train one run together; a sweep starts processes of its own")
        from gan_cli.sweeps.grid import in_own_processes, preflight, run_in_own_processes, search_in_own_processes

        own = in_own_processes(command, cfg)
        if own and cfg.sweep.get("search"):
            return search_in_own_processes(composer, cfg, arguments.places())
        cells = preflight(composer, cfg)
        if own and cells is not None:
            return run_in_own_processes(composer, cfg, cells, arguments.places())
    else:
        from gan_cli.config.validate import (
            validate,  # after the composition, which tells most mistakes, without pydantic
        )

        validate(cfg, overrides, command)
        refuse_outside_a_sweep(overrides)
        if cfg.hydra.sweeper.get("params") and not any(o.lower() == "hydra.mode=run" for o in overrides):
            raise UserError("hydra.sweeper.params: the config asks for a sweep, and this is one run; add -m")
        return _run(composer, cfg, arguments)
    task = _Task(command, cells)
    with contextlib.suppress(_Stop):
        _hydra(arguments, conf, name, task)
    return task.exit_code


class _Composed(ConfigLoaderImpl):
    """Hydra's loader, with a config that is composed already."""

    def __init__(self, search_path: ConfigSearchPath, cfg: DictConfig) -> None:
        super().__init__(search_path)
        self._cfg = cfg

    def load_configuration(self, *args: Any, **kwargs: Any) -> DictConfig:
        return copy.deepcopy(self._cfg)  # Hydra takes its own block out of what it shows


def _run(composer: Composer, cfg: DictConfig, arguments: Arguments) -> int:
    """Leave one run of a composed config to Hydra; `hydra.main` would compose it twice more."""
    try:
        cfg.hydra.run.dir  # noqa: B018
    except OmegaConfBaseException as error:
        raise UserError(f"hydra.run.dir: {one_line(error)}; leave it out, run_dir is where a run goes") from error
    task = _Task(composer.command, None)
    places = composer.loader.get_search_path()
    hydra = Hydra.create_main_hydra2(composer.command, places)
    hydra.config_loader = _Composed(places, cfg)
    try:
        with contextlib.suppress(_Stop), _typed(arguments):
            hydra.run(composer.config_name, task, arguments.overrides)
    finally:
        GlobalHydra.instance().clear()
    return task.exit_code


class _Task:
    """What Hydra calls for each job: the command's function, with its errors told here and not by Hydra."""

    def __init__(self, command: str, cells: list[Cell] | None) -> None:
        self.command = command
        self.cells = cells
        self.exit_code = 0

    def __call__(self, cfg: DictConfig) -> None:
        from gan_cli.config.validate import validate
        from gan_cli.sweeps.grid import cell_name

        job = HydraConfig.get()
        overrides = OmegaConf.to_container(job.overrides.task, resolve=False)
        where = ""
        if job.mode == RunMode.MULTIRUN:
            where = cell_name(job.job.num, len(self.cells) if self.cells else None, overrides)
            print(where, flush=True)
        try:
            settings = validate(cfg, overrides, self.command)
            choices = {k: v for k, v in job.runtime.choices.items() if v is not None and not k.startswith("hydra/")}
            _call(_function(self.command), settings=settings, overrides=overrides, choices=choices)
        except GanError as error:
            if not str(job.launcher.get("_target_", "")).endswith(".BasicLauncher"):
                raise  # the job runs in another process, and its launcher brings the error back
            tell(error, f"{where}: " if where else "")
            self.exit_code = self.exit_code or error.exit_code
            if isinstance(error, Interrupted):
                self.exit_code = error.exit_code
                raise _Stop from error


def _function(command: str) -> Callable[..., None]:
    return getattr(importlib.import_module(f"gan_cli.commands.{command}"), command)


def _call(function: Callable[..., None], **available: Any) -> None:
    """Call a command's function with those of `settings`, `overrides` and `choices` that it asks for."""
    wanted = inspect.signature(function).parameters
    function(**{name: value for name, value in available.items() if name in wanted})


def _hydra(arguments: Arguments, conf: Path, name: str, task: Callable[[DictConfig], None]) -> None:
    def job(cfg: DictConfig) -> None:
        task(cfg)

    with _typed(arguments):
        hydra.main(config_path=str(conf), config_name=name, version_base=VERSION_BASE)(job)()


@contextlib.contextmanager
def _typed(arguments: Arguments) -> Iterator[None]:
    """These are the process's arguments inside."""
    saved = sys.argv
    sys.argv = ["gan", *arguments.argv()]
    try:
        yield
    finally:
        sys.argv = saved


def _show(arguments: Arguments, conf: Path, name: str, composer: Composer) -> int:
    package = arguments.flags.get("--package") or "_global_"
    if package != "_global_" and OmegaConf.select(composer.compose(arguments.overrides), package) is None:
        raise UserError(f"--package {package}: no such key in the config")
    if composer.foreign and "--hydra-help" not in arguments.flags:
        composer.compose(arguments.overrides)
    try:
        if "--help" in arguments.flags:
            print(_help(composer.compose(arguments.overrides), arguments, conf))
        else:
            _hydra(arguments, conf, name, lambda cfg: None)
    except (GanError, BrokenPipeError):
        raise
    except SystemExit as end:  # after --hydra-help
        return int(end.code or 0)
    except Exception as error:  # Hydra showing what the user's config holds: whatever it raises is about that
        composer.compose(arguments.overrides)
        raise UserError(f"the config cannot be shown: {one_line(error)}") from error
    return 0


def _help(cfg: DictConfig, arguments: Arguments, conf: Path) -> str:
    """Fill the help template here: Hydra's own way of listing the groups takes a second."""
    directories = [Path(d) for d in [arguments.flags.get("--config-dir")] if d is not None]
    chosen = [group for group in cfg.hydra.runtime.choices if not group.startswith("hydra/")]
    found = groups(*directories, conf) if chosen else {}
    listing = [f"{group}: {', '.join(options)}" for group, options in found.items() if group in chosen]
    heading = ["Options, as group=option (`gan list` says what each one is)"] if listing else []
    shown = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    return string.Template(cfg.hydra.help.template).safe_substitute(
        HEADER=cfg.hydra.help.header,
        FOOTER=cfg.hydra.help.footer,
        OPTIONS="".join(f"{line}\n" for line in heading + listing),
        CONFIG=OmegaConf.to_yaml(shown, resolve="--resolve" in arguments.flags),
    )


def _with_positional(arguments: Arguments, primary: Path) -> Arguments:
    key = positional_key(primary)
    if key is None:
        return arguments
    chosen, others = split_positional(arguments.overrides, [*top_keys(primary), *chosen_groups(primary)])
    return arguments if chosen is None else arguments._replace(overrides=[quoted_override(key, chosen), *others])


def _main_config(arguments: Arguments, conf: Path, command: str) -> tuple[Path, str]:
    """Return the directory and name of the primary config; a relative `--config-path` starts here, as others do."""
    given = arguments.flags.get("--config-path")
    if given is not None:
        conf = Path(given).absolute()
        if not conf.is_dir():
            raise UserError(f"--config-path {given}: no such directory")
        arguments.flags["--config-path"] = str(conf)
    name = arguments.flags.get("--config-name") or command
    return conf, name.removesuffix(".yaml")
