"""Begins and continues runs: what `gan train`, `gan resume` and Python do."""

from __future__ import annotations

from pathlib import Path

from gan_cli.config.arguments import CommandLine, key_of
from gan_cli.config.command_schemas import ResumeConfig
from gan_cli.config.schema import RunConfig
from gan_cli.core.processes import restarts
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.session.given import Given
from gan_cli.session.job import Caller, Extras
from gan_cli.session.resume import Ended, holds_run, open_session, saved_config, with_changes
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


def train(config: RunConfig, line: CommandLine, caller: Caller | None = None, given: Given | None = None) -> Ended:
    """Train a new run, or continue the run in `run_dir` if `resume` allows it.

    Args:
        config: validated.
        line: for the run's name.
        caller: who asks; None: the command line.
        given: what Python gives in the place of parts.

    Raises:
        GanError: the config cannot be run, or the run stopped early.
    """
    if restarts() and config.resume != "auto":
        raise UserError("resume=never: torchrun would restart a failed run as a new run each time; use resume=auto")
    of_run = config.replace(resume="never", force=False)  # both are about this command
    group = join(of_run, given)
    if group and not group.is_main:
        return Ended(None, follow(of_run, group, given))
    base = None if line.base is None else {"run": line.base, "overrides": line.overrides}
    extras = Extras(line.choices, group=group, caller=caller or Caller(), base=base)
    if config.resume == "auto" and holds_run(Path(config.run_dir)):
        ended = _continue(Path(config.run_dir), of_run, config.force, extras, given)
        if ended.was_finished and group:
            group.dismiss()
        if ended.incidents:
            ended.incidents.check()
        return ended
    directory.refuse_used(config.run_dir)
    plan, data = build.check(of_run, given=given).open()
    plan, evaluation = plan.evaluation(data)
    state = plan.state(data)
    run = directory.create(config.run_dir, _name(line))
    Session(plan, run, data, state, extras=extras._replace(evaluation=evaluation)).train()
    return Ended(run.path, state.step)


def resume(config: ResumeConfig, caller: Caller | None = None, given: Given | None = None) -> Ended:
    """Continue a run in its own directory; without a checkpoint, start it again. Arguments as for `train`.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    path = Path(config.run)
    of_run = with_changes(saved_config(path, config.allow_targets), config)
    group = join(of_run, given)
    if group and not group.is_main:
        return Ended(None, follow(of_run, group, given))
    ended = _continue(path, of_run, config.force, Extras(group=group, caller=caller or Caller()), given)
    if ended.was_finished:
        raise UserError(was_finished(ended))
    return ended


def was_finished(ended: Ended) -> str:
    """Say that a run had been finished, and how to train it longer."""
    return f"{ended.path} has finished its {ended.step} steps; train longer with train.steps={2 * ended.step}"


def _continue(path: Path, config: RunConfig, force: bool, extras: Extras, given: Given | None) -> Ended:
    opened = open_session(path, config, force, extras, given)
    if isinstance(opened, Ended):
        return opened
    opened.train()
    return Ended(path, opened.state.step)


def _name(line: CommandLine) -> str:
    """Name a run by its loss, model and dataset, and by the other choices of the command line."""
    parts = [line.choices[group] for group in _IN_NAME if line.choices.get(group)]
    for override in line.overrides:
        key, value = key_of(override), override.partition("=")[2]
        if key not in _IN_NAME and not key.startswith(_NOT_IN_NAME):
            parts.append(f"{key.rpartition('.')[2]}-{value}")
    return directory.slug("_".join(parts))[:120]
