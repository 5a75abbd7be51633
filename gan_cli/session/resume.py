"""Opens a run that exists, to continue it: the one way of `gan resume` and of `gan train ... resume=auto`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli.config.command_schemas import ResumeConfig
from gan_cli.config.identity import DATA, Change, changed_course, differences, places, require_same
from gan_cli.config.schema import Config, Part, RunConfig
from gan_cli.config.validate import validate_saved
from gan_cli.core.extras import require_trackers
from gan_cli.core.text import say
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.checkpoint_files import Checkpoint, CorruptError, name_of, verify
from gan_cli.runs.contents import METRICS, compared
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import encoded
from gan_cli.runs.reading import last_row, run_at
from gan_cli.runs.recovery import back_to
from gan_cli.session import build
from gan_cli.session.given import Given
from gan_cli.session.incidents import Incidents
from gan_cli.session.job import Earlier, Extras
from gan_cli.session.restore import restore
from gan_cli.session.session import Session, unopened


class Ended(NamedTuple):
    """What became of a run.

    Attributes:
        path: its directory; None in a process beside the main one, which does not know it.
        step: where it is.
        was_finished: it was finished before, so nothing was trained.
        incidents: of a run that was finished before.
    """

    path: Path | None
    step: int
    was_finished: bool = False
    incidents: Incidents | None = None


def with_changes(saved: RunConfig, changes: ResumeConfig) -> RunConfig:
    """Return a run's config with what its user changes.

    Args:
        saved: the run's.
        changes: null where the run's own value stays. Another device resolves precision and engine again.

    Raises:
        UserError: a key of a dataset that this run's does not have.
    """
    found = saved
    for group in ("train", "log", "evaluate", "checkpoint", "runtime"):
        own: Config = getattr(saved, group)
        given = {key: value for key, value in getattr(changes, group) if value is not None}
        if group == "runtime" and given.get("device", saved.runtime.device) != saved.runtime.device:
            given = {"precision": "auto", "engine": "auto", **given}
        found = found.replace(**{group: own.replace(**given)})
    for group in ("dataset", "dataset_b"):
        part: Part | None = getattr(saved, group)
        given = {key: value for key, value in getattr(changes, group) if value is not None}
        if unknown := [key for key in given if part is None or key not in part.arguments]:
            key = unknown[0]
            raise UserError(f"{group}.{key}={given[key]}: this run's {group} has no such key; leave it out")
        found = found.replace(**{group: part and part.replace(**given)})
    return found.replace(allow_targets=changes.allow_targets)


def saved_config(path: Path, allow_targets: Sequence[str]) -> RunConfig:
    """Return a run's config: its config.yaml, or where that is gone, what its newest checkpoint holds.

    Raises:
        UserError: there is neither, or the config is wrong.
    """
    if path.is_dir() and not (path / directory.CONFIG).exists():
        for step in checkpoint.steps(path / directory.CHECKPOINTS):
            with suppress(CorruptError):
                settings = verify(path / directory.CHECKPOINTS / name_of(step))["settings"]
                say(
                    f"gan: warning: {path / directory.CONFIG} is missing: the config of step {step} is used", sys.stderr
                )
                return validate_saved(settings, allow_targets)
    try:
        return validate_saved(directory.read_config(path), allow_targets)
    except UserError as error:
        if not checkpoint.steps(path / directory.CHECKPOINTS):
            raise
        fix = f"without {path / directory.CONFIG}, the config of the newest checkpoint is used"
        raise UserError(f"{error}; {fix}") from (error.__cause__ or error)


def holds_run(path: Path) -> bool:
    """Return whether a directory holds a run that can be continued; False: it is not there, or nothing is in it yet.

    Raises:
        UserError: it holds something else.
    """
    if not directory.used(path):
        return False
    if not ((path / directory.CONFIG).exists() or (path / directory.CHECKPOINTS).exists()):
        raise UserError(f"run_dir={path} holds no run (no {directory.CONFIG}) and is not empty: choose another run_dir")
    return True


def open_session(
    path: Path, config: RunConfig, force: bool, extras: Extras | None = None, given: Given | None = None
) -> Session | Ended:
    """Continue a run from its newest checkpoint that verifies, or from step 0 where it was killed before its first.

    Args:
        path: the run's directory.
        config: to continue with, validated.
        force: continue although the identity of the run differs from what it was.
        extras: the session's; its evaluation is prepared here.
        given: what Python gives in the place of parts.

    Returns:
        a session to train; or what became of a run that is finished already.

    Raises:
        UserError: another run than before without `force`, no checkpoint that verifies, or a directory in use.
        GanError: the machine failed: a file cannot be read, for one.
    """
    require_trackers(config.log.to)
    plan = build.check(config, given=given)
    run = RunDirectory(path)
    try:
        return _opened(plan, run, force, extras or Extras())
    except OSError as error:
        explained = unopened(run, error)
        run.close()
        raise explained from error
    except BaseException:
        run.close()
        raise


def _opened(plan: build.Plan, run: RunDirectory, force: bool, extras: Extras) -> Session | Ended:
    warnings: list[str] = []
    folder = run.path / directory.CHECKPOINTS
    found = checkpoint.load(folder, warnings.append) if checkpoint.steps(folder) else None
    if not run.status and (found or run.damage):
        reason = run.damage or f"{run.path / directory.STATUS} is missing"
        source = f"the checkpoint of step {found.meta['step']}" if found else "nothing"
        warnings.append(f"{reason}: it is rebuilt from {source}")
        run.status = dict(found.meta.get("run", {}).get("status", {})) if found else {}
    step, saved = found.meta["step"] if found else 0, run.status.get("saved_step")
    if isinstance(saved, int) and saved > step:
        warnings.append(f"the checkpoint of step {saved} is gone or damaged: the run goes back to step {step}")
    before = _config_before(run.path, found, plan.config.allow_targets)
    require_same(run.path, differences(before, plan.config), force)
    total = plan.config.train.steps
    finished = step >= total
    # where the run was to end, as its last session had it, which writes its config before it trains
    if finished and step < (own := run_at(run.path).total_steps or before.train.steps):
        raise UserError(
            f"train.steps={total}: {run.path} is at step {step} of {own} already; train.steps={own} continues it"
        )
    if finished and places(before) == places(plan.config):
        return _done(run, found, warnings)
    plan, data = plan.open()
    changes = differences(before, plan.config) | _data_change(run.status, found, data.fingerprint)
    require_same(run.path, changes, force)
    if finished:
        return _done(run, found, warnings)
    plan, evaluation = plan.evaluation(data)
    state = plan.state(data, is_new=found is None)
    if found:
        restore(state, found)
    earlier = Earlier(found, warnings, changes, changed_course(before, plan.config))
    return Session(plan, run, data, state, earlier, extras._replace(evaluation=evaluation))


def _config_before(path: Path, found: Checkpoint | None, allow_targets: list[str]) -> RunConfig:
    """Return what the checkpoint was trained with; the config beside it, where there is no checkpoint yet."""
    if found is None or "settings" not in found.meta:
        return validate_saved(directory.read_config(path), allow_targets)
    try:
        return validate_saved(found.meta["settings"], allow_targets)
    except UserError as error:
        raise UserError(f"{found.path}: its config is not that of a run: {error}") from error


def _data_change(status: Mapping[str, Any], found: Checkpoint | None, fingerprint: str) -> dict[str, Change]:
    sessions = status.get("sessions", [])
    last = sessions[-1].get("data") if sessions else None
    before = found.meta.get("data", last) if found else last
    return {} if before in (None, fingerprint) else {DATA: Change(before, fingerprint)}


def _done(run: RunDirectory, found: Checkpoint, warnings: Sequence[str]) -> Ended:
    """Complete a run that is trained to its end: its status where it was killed before that, and what was damaged."""
    step = found.meta["step"]
    incidents = Incidents(run, lambda text: say(text, sys.stderr), step)
    for warning in warnings:
        incidents.warn(step, "the run's directory", warning)
    contents, lost = compared(run.inside, found.meta, run.status)
    if lost:
        back_to(run, contents, step, partial(incidents.recovered, step))
    if run.status.get("status") != "finished":
        final = {tag: value for tag, value in last_row(run.inside / METRICS).items() if tag != "step"}
        run.write_status("finished", step=step, final=encoded(final), **incidents.facts())
    run.close()
    return Ended(run.path, step, was_finished=True, incidents=incidents)
