"""Train one run from a config."""

from __future__ import annotations

from pathlib import Path

from gan_cli.config.arguments import key_of
from gan_cli.config.command_line import CommandLine
from gan_cli.config.schema import RunConfig
from gan_cli.core.processes import restarts
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.session.job import Extras
from gan_cli.session.resume import holds_run, open_session
from gan_cli.session.session import Session
from gan_cli.session.worker import follow, join

_IN_NAME = ("loss", "model", "dataset")
_NOT_IN_NAME = (
    "run_dir",
    "resume",
    "force",
    "allow_targets",
    "train.",
    "log.",
    "checkpoint.",
    "runtime",
    "evaluate.",
    "extractor",
)


def train(config: RunConfig, line: CommandLine) -> None:
    """Train a new run, or continue the run in `run_dir` if `resume` allows it.

    Raises:
        GanError: the config cannot be run, or the run stopped early.
    """
    if restarts() and config.resume != "auto":
        raise UserError("resume=never: torchrun would restart a failed run as a new run each time; use resume=auto")
    of_run = config.replace(resume="never", force=False)  # both are about this command
    group = join(of_run)
    if group and not group.is_main:
        follow(of_run, group)
        return
    extras = Extras(line.choices, group=group)
    if config.resume == "auto" and holds_run(Path(config.run_dir)):
        _continue(Path(config.run_dir), of_run, config.force, extras)
        return
    directory.refuse_used(config.run_dir)
    plan, data = build.check(of_run).open()
    plan, evaluation = plan.evaluation(data)
    state = plan.state(data)
    run = directory.create(config.run_dir, _name(line))
    Session(plan, run, data, state, extras=extras._replace(evaluation=evaluation)).train()


def _continue(path: Path, config: RunConfig, force: bool, extras: Extras) -> None:
    """Continue the run; a finished run is a success, so that a scheduler may rerun its command."""
    resumed = open_session(path, config, force, extras)
    if resumed.session is not None:
        resumed.session.train()
        return
    if extras.group:
        extras.group.dismiss()
    print(f"{path} has finished its {resumed.step} steps; train longer with train.steps={2 * resumed.step}", flush=True)


def _name(line: CommandLine) -> str:
    """Name a run by its loss, model and dataset, and by the other choices of the command line."""
    parts = [line.choices[group] for group in _IN_NAME if line.choices.get(group)]
    for override in line.overrides:
        key, value = key_of(override), override.partition("=")[2]
        if key not in _IN_NAME and not key.startswith(_NOT_IN_NAME):
            parts.append(f"{key.rpartition('.')[2]}-{value}")
    return directory.slug("_".join(parts))[:120]
