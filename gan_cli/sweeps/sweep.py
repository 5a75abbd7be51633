"""`gan train -m`: a grid or a search, each job in a process of its own, or a sweep that Hydra's plugins run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.arguments import Arguments, key_of
from gan_cli.config.compose import Composer
from gan_cli.config.hydra_errors import refuse_without_effect
from gan_cli.config.schema import RunConfig
from gan_cli.core.signals import OF_A_COMMAND, Stops
from gan_cli.errors import GanError, UserError
from gan_cli.sweeps import process
from gan_cli.sweeps.cells import Cell, Checker, cell_name, checked_cells, expand, is_about_sweep, values, varied_keys
from gan_cli.sweeps.display import Display, counts
from gan_cli.sweeps.jobs import folder_for, jobs_of
from gan_cli.sweeps.pool import Pool, exit_code
from gan_cli.sweeps.record import RECORD, Folder, Job

if TYPE_CHECKING:  # it needs Optuna, an extra
    from gan_cli.sweeps.space import Space


class Request(NamedTuple):
    """A sweep as the command line asks for it."""

    hydra: list[str]  # overrides of Hydra's own block
    task: list[Override]  # of the config, fixed and varied; those of the config's `hydra.sweeper.params` come first
    cfg: DictConfig  # composed with the first value of each varied key


class Plan(NamedTuple):
    """A sweep that can run.

    Attributes:
        cells: checked; of a search, those that show whether all others could run; None: Hydra's sweeper chooses them.
        flags: what each job's command line has besides its overrides.
        space: of a search; None: a grid.
        by_hydra: a launcher or a sweeper of Hydra's starts the runs; `run` is for all other sweeps.
    """

    cells: Sequence[Cell] | None
    flags: Sequence[str] = ()
    space: Space | None = None
    by_hydra: bool = False


class Swept(NamedTuple):
    """What became of a sweep.

    Attributes:
        code: its exit code.
        lines: what it says at its end.
        path: its directory.
        jobs: in their order.
    """

    code: int
    lines: Sequence[str]
    path: Path
    jobs: Sequence[Job]


def plan(composer: Composer, arguments: Arguments, overrides: Sequence[Override], multirun: bool) -> Plan:
    """Expand a sweep and check its cells; nothing is written.

    Args:
        composer: of the command.
        arguments: the command's.
        overrides: parsed.
        multirun: the command line says `-m`.

    Raises:
        UserError: the first cell that cannot run, and why.
    """
    request = request_of(composer, overrides, multirun)
    plugins = {key: str(OmegaConf.select(request.cfg.hydra, f"{key}._target_")) for key in ("launcher", "sweeper")}
    foreign = [f"hydra.{key}={target.rpartition('.')[2]}" for key, target in plugins.items() if ".Basic" not in target]
    if composer.command != "train":
        foreign.append(composer.command)
    is_search = OmegaConf.select(request.cfg, "sweep.search") is not None
    _refuse_without_effect(request, foreign, is_search)
    if ".Basic" not in plugins["sweeper"]:
        return Plan(None, by_hydra=True)
    check, space = Checker(composer, request.hydra), None
    if is_search:
        from gan_cli.sweeps.space import Space  # needs Optuna, an extra

        space = Space.of(request.task)
        cells = space.checked(check)
    else:
        grid = expand(request.task)
        cells = checked_cells([cell_name(i, len(grid), cell) for i, cell in enumerate(grid)], grid, check)
    search_path = [o for o in request.hydra if key_of(o) == "hydra.searchpath"]
    return Plan(cells, [*search_path, "hydra.mode=RUN", *arguments.places()], space, bool(foreign))


def request_of(composer: Composer, overrides: Sequence[Override], multirun: bool) -> Request:
    """Return what a command line asks for.

    Raises:
        UserError: several values and no sweep, or several for a key of the sweep itself.
    """
    first = composer.compose([values(o)[0] for o in overrides])
    if not multirun and first.hydra.mode != RunMode.MULTIRUN:
        swept = next(o for o in overrides if o.is_sweep_override())
        key = swept.get_key_element()
        as_list = "" if composer.options(key) else f", or write a list as {key}=[...]"
        raise UserError(f"{swept.input_line}: several values are a sweep; add -m{as_list}")
    params = OmegaConf.select(first, "hydra.sweeper.params") or {}
    of_config = composer.parse([f"{key}={value}" for key, value in params.items()])
    own = [o for o in overrides if not o.is_hydra_override()]
    task = {o.get_key_element(): o for o in [*of_config, *own]}  # of two for one key the later counts
    for key, override in task.items():
        if is_about_sweep(key) and override.is_sweep_override():
            raise UserError(f"{override.input_line}: a sweep takes one value of this key")
    return Request([o.input_line for o in overrides if o.is_hydra_override()], list(task.values()), first)


def _refuse_without_effect(request: Request, foreign: Sequence[str], is_search: bool) -> None:
    """Refuse keys that have no use for whoever starts the jobs: gan, or what `foreign` names."""
    if not foreign:
        if request.cfg.hydra.sweeper.get("max_batch_size") is not None:
            raise UserError("hydra.sweeper.max_batch_size: no effect; sweep.jobs=2 sets how many jobs run at once")
        refuse_without_effect(request.hydra)
        return
    given = [o.input_line for o in request.task if is_about_sweep(o.input_line)] + ["sweep.search"] * is_search
    if given:
        raise UserError(
            f"{given[0]}: is for jobs that gan starts itself, and {foreign[0]} starts them here; leave it out"
        )


def run(planned: Plan, command: Sequence[str], stops: Stops = OF_A_COMMAND) -> Swept:
    """Run the jobs of a grid, or of a search, in a directory that the same command continues.

    Args:
        planned: of this package's own jobs.
        command: what sweep.json says of it.
        stops: signals that stop it.

    Raises:
        UserError: the directory is something else, or in use.
    """
    cells, flags, space, _ = planned
    config: RunConfig = cells[0].config
    places, threads = process.places(config.sweep.jobs)
    path = folder_for(config.sweep.name, varied_keys([cell.overrides for cell in cells]))
    chooser = identity = None
    if space is not None:
        from gan_cli.sweeps import search

        identity = search.identity(space, config)
    with closing(Folder(path, identity)) as folder:
        if space is not None:
            chooser = search.Chooser(folder, space, config, len(places), threads)
        jobs = chooser.jobs if chooser else jobs_of(cells, folder, threads)
        folder.begin(jobs, command)
        try:
            with Display(jobs) as display:
                display.note(f"{path}: {_summary(jobs, places)}")
                received = Pool(jobs, flags, display, folder.job_ended, chooser, stops).run(places)
                code = exit_code(jobs, received)
        except GanError as error:
            folder.write(error.exit_code)
            raise
        folder.write(code)
    lines = [f"{path}: {counts(jobs)}; {path / RECORD} says how each ended"]
    if chooser and (best := chooser.best()):
        lines.append(best)
    return Swept(code, lines, path, jobs)


def _summary(jobs: Sequence[Job], places: Sequence[str | None]) -> str:
    facts = [f"{counts(jobs)}; {len(places)} at once"]
    if gpus := {place for place in places if place is not None}:
        facts.append(f"on {len(gpus)} GPU{'s' * (len(gpus) != 1)}")
    if threads := sorted({job.threads for job in jobs if job.state == "waiting" and job.threads}):
        facts.append(f"{' or '.join(map(str, threads))} thread{'s' * (threads != [1])} each")
    return ", ".join(facts)
