"""Opens a run that exists, to continue it: the one way of `gan resume` and of `gan train ... resume=auto`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gan_cli.config.identity import DATA, Change, differences, places, require_same
from gan_cli.config.schema import Config, Part, ResumeConfig, RunConfig
from gan_cli.config.validate import validate_saved
from gan_cli.core.extras import require_trackers
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.checkpoint_files import Checkpoint
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import METRICS, read_rows
from gan_cli.session import build
from gan_cli.session.given import Given
from gan_cli.session.job import Earlier, Extras
from gan_cli.session.restore import restore
from gan_cli.session.session import Session, encoded


class Resumed(NamedTuple):
    """A run that was opened to be continued.

    Attributes:
        step: where it is.
        session: trains on; None: the run is finished already.
    """

    step: int
    session: Session | None = None


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
) -> Resumed:
    """Continue a run from its newest checkpoint that verifies, or from step 0 where it was killed before its first.

    Args:
        path: the run's directory.
        config: to continue with, validated.
        force: continue although the identity of the run differs from what it was.
        extras: the session's; its evaluation is prepared here.
        given: what Python gives in the place of parts.

    Raises:
        UserError: another run than before without `force`, no checkpoint that verifies, or a directory in use.
    """
    require_trackers(config.log.to)
    plan = build.check(config, given=given)
    run = RunDirectory(path)
    try:
        return _opened(plan, run, force, extras or Extras())
    except BaseException:
        run.close()
        raise


def _opened(plan: build.Plan, run: RunDirectory, force: bool, extras: Extras) -> Resumed:
    warnings: list[str] = []
    found = checkpoint.load(run.checkpoints, warnings.append) if checkpoint.steps(run.checkpoints) else None
    before = _config_before(run.path, found, plan.config.allow_targets)
    require_same(run.path, differences(before, plan.config), force)
    step = found.meta["step"] if found else 0
    total = plan.config.train.steps
    finished = step >= total
    if finished and step < (own := _own_steps(run.path, before)):
        raise UserError(
            f"train.steps={total}: {run.path} is at step {step} of {own} already; train.steps={own} continues it"
        )
    if finished and places(before) == places(plan.config):
        return _done(run, step)
    plan, data = plan.open()
    changes = differences(before, plan.config) | _data_change(run.path, found, data.fingerprint)
    require_same(run.path, changes, force)
    if finished:
        return _done(run, step)
    plan, evaluation = plan.evaluation(data)
    state = plan.state(data, is_new=found is None)
    if found:
        restore(state, found)
    earlier = Earlier(found, warnings, changes)
    return Resumed(step, Session(plan, run, data, state, earlier, extras._replace(evaluation=evaluation)))


def _config_before(path: Path, found: Checkpoint | None, allow_targets: list[str]) -> RunConfig:
    """Return what the checkpoint was trained with; the config beside it, where there is no checkpoint yet."""
    if found is None or "settings" not in found.meta:
        return validate_saved(directory.read_config(path), allow_targets)
    try:
        return validate_saved(found.meta["settings"], allow_targets)
    except UserError as error:
        raise UserError(f"{found.path}: its config is not that of a run: {error}") from error


def _data_change(path: Path, found: Checkpoint | None, fingerprint: str) -> dict[str, Change]:
    sessions = directory.read_status(path).get("sessions", [])
    last = sessions[-1].get("data") if sessions else None
    before = found.meta.get("data", last) if found else last
    return {} if before in (None, fingerprint) else {DATA: Change(before, fingerprint)}


def _own_steps(path: Path, before: RunConfig) -> int:
    """Return where a run was to end, as its last session had it; a session writes its config before it trains."""
    try:
        train = directory.read_config(path)["train"]
        steps = train["steps"] if isinstance(train, Mapping) else None
    except (UserError, KeyError):
        steps = None
    return steps if isinstance(steps, int) else before.train.steps


def _done(run: RunDirectory, step: int) -> Resumed:
    """Complete the status of a run that was killed between its last checkpoint and its last line of status."""
    if directory.read_status(run.path).get("status") != "finished":
        rows = read_rows(run.path / METRICS) if (run.path / METRICS).is_file() else []
        rows = [row for row in rows if row["step"] <= step]
        final = {tag: value for tag, value in rows[-1].items() if tag != "step"} if rows else {}
        run.write_status("finished", step=step, final=encoded(final))
    run.close()
    return Resumed(step)
