"""Runs a command that Hydra configures: compose, validate, and call the command or start its sweep.

How `gan train optimizer.lr=1e-3` reaches the optimizer:

    cli, launch         find the command
    config.arguments    sorts its words into overrides and flags
    config.compose      Hydra composes conf/train.yaml with the overrides, once
    config.validate     checks keys and values, and returns a frozen RunConfig; config.parts checks the arguments of
                        each part (a class and its keyword arguments) against the signature of the class
    commands.train, session.start
    session.build       resolves every `auto`, refuses what cannot work, and builds the parts
    session.networks    builds the two optimizers, the one of the critic from config.optimizer.critic
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli.api.request import composer_of
from gan_cli.config.arguments import (
    Arguments,
    CommandLine,
    key_of,
    parse,
    quoted_override,
    split_positional,
    study_words,
)
from gan_cli.config.compose import Composer, hydra_main
from gan_cli.config.help import help_text
from gan_cli.config.tree import conf_dir, positional_key
from gan_cli.core.processes import processes
from gan_cli.core.text import one_line, print_error, say
from gan_cli.errors import GanError, Interrupted, UserError


def launch(command: str, argv: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Args:
        command: the name of a primary config and of a module in commands/.
        argv: what follows it on the command line.

    Raises:
        GanError: anything wrong, before anything is written.
    """
    primary = conf_dir() / f"{command}.yaml"
    try:
        arguments = _with_positional(parse(argv, command), primary)
    except UserError as error:
        raise UserError(f"{error}{_of_flags(command, argv, primary)}") from error
    composer = composer_of(command, arguments)
    overrides = composer.parse(arguments.overrides)
    if not arguments.flags.keys().isdisjoint({"--help", "--hydra-help", "--cfg", "--info"}):
        return _show(composer, arguments)
    swept = next((o for o in overrides if o.is_sweep_override()), None)
    multirun = "--multirun" in arguments.flags
    if swept is None and not multirun:
        cfg = composer.compose(arguments.overrides)
        if cfg.hydra.mode != RunMode.MULTIRUN:
            return _run(composer, cfg, arguments)
    from gan_cli.sweeps.sweep import plan, run

    if processes().size > 1:
        raise UserError("-m: torchrun's processes train one run together; a sweep starts processes of its own")
    planned = plan(composer, arguments, overrides, multirun)
    if planned.by_hydra:
        return _by_hydra(composer, arguments, planned.cells and len(planned.cells))
    swept = run(planned, ["gan", *sys.argv[1:]])
    for line in swept.lines:
        say(line)
    return swept.code


def call(command: str, cfg: DictConfig, line: CommandLine) -> None:
    """Validate a composed config and call the command's function with it.

    Raises:
        GanError: the config is wrong, or the command ended early.
    """
    if is_first := "torch" not in sys.modules:
        gc.disable()  # to go through what importing torch makes, again and again, takes a tenth of the time
    try:
        from gan_cli.config.validate import validate
        from gan_cli.runs.finding import located

        config = located(validate(command, cfg, line.overrides))
        module = importlib.import_module(f"gan_cli.commands.{command}")
    finally:
        if is_first:
            gc.freeze()
            gc.enable()
    getattr(module, command)(config, line)


def _run(composer: Composer, cfg: DictConfig, arguments: Arguments) -> int:
    """Make one run."""
    from gan_cli.config.hydra_errors import refuse_without_effect

    refuse_without_effect(arguments.overrides)
    for override in arguments.overrides:
        if key_of(override).startswith("sweep."):
            raise UserError(f"{override}: is for a sweep, and this is one run; add -m")
    if cfg.hydra.sweeper.get("params") and "hydra.mode=run" not in map(str.lower, arguments.overrides):
        raise UserError("hydra.sweeper.params: the config asks for a sweep, and this is one run; add -m")
    line = composer.line(arguments.overrides, cfg)
    call(composer.command, cfg, line._replace(config_dir=arguments.flags.get("--config-dir")))
    return 0


def _by_hydra(composer: Composer, arguments: Arguments, count: int | None) -> int:
    """Leave a sweep to the launcher and sweeper of Hydra's that the command line names, and return the exit code.

    Args:
        composer: of the command.
        arguments: the command's.
        count: cells of the sweep; None: its sweeper chooses them as it goes.
    """
    from hydra.core.hydra_config import HydraConfig

    from gan_cli.sweeps.cells import cell_name

    codes: list[int] = []

    def job(cfg: DictConfig) -> None:
        here = HydraConfig.get()
        overrides = OmegaConf.to_container(here.overrides.task, resolve=False)
        where = cell_name(here.job.num, count, overrides) if here.mode == RunMode.MULTIRUN else ""
        say(where)
        sys.argv = ["gan", composer.command, *overrides, *arguments.places()]  # run.json keeps this job's command
        try:
            call(composer.command, cfg, composer.line(overrides, cfg, here.runtime.choices))
        except GanError as error:
            if not str(here.launcher.get("_target_", "")).endswith(".BasicLauncher"):
                raise  # the job runs in another process, and its launcher brings the error back
            print_error(error, f"{where}: ")
            codes.append(error.exit_code)
            if isinstance(error, Interrupted):
                sys.exit(error.exit_code)  # Hydra's loop over the jobs continues after an Exception

    ended = _hydra_main(composer, arguments, job)
    return ended or (codes[0] if codes else 0)


def _hydra_main(composer: Composer, arguments: Arguments, job: Callable[[DictConfig], None]) -> int:
    """Call Hydra's own main function, and return the exit code that it, or a job, ends with."""
    try:
        with composer.primary() as name:
            hydra_main(composer.conf, name, arguments.argv(), job)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _show(composer: Composer, arguments: Arguments) -> int:
    """Show the help, the composed config, or what Hydra says of itself."""
    flags = arguments.flags
    cfg = composer.compose(arguments.overrides)
    try:
        if "--help" in flags:
            print(help_text(cfg, composer, "--resolve" in flags))
        else:
            logging.raiseExceptions = False  # `gan train --info | head`: what reads has enough
            return _hydra_main(composer, arguments, lambda cfg: None)
    except OmegaConfBaseException as error:
        raise UserError(f"the config cannot be shown: {one_line(error)}") from error
    return 0


def _of_flags(command: str, argv: Sequence[str], primary: Path) -> str:
    """Return the overrides that flags of other programs may mean, as a hint, or ''."""
    from gan_cli.config.hints import Hints, as_overrides

    rest, typed = as_overrides(argv)
    try:
        arguments = _with_positional(parse(rest), primary)
        return Hints(composer_of(command, arguments), arguments.overrides).of_flags(typed)
    except UserError:
        return ""


def _with_positional(arguments: Arguments, primary: Path) -> Arguments:
    """Return the arguments with a bare one as the value of the key that it fills."""
    if primary.stem == "study":
        return arguments._replace(overrides=study_words(arguments.overrides, primary))
    key = positional_key(primary)
    if key is None:
        return arguments
    chosen, others = split_positional(arguments.overrides)
    return arguments if chosen is None else arguments._replace(overrides=[quoted_override(key, chosen), *others])
