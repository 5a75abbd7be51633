"""Opens a run that exists, to go on with it: the one way of `gan resume` and of `gan train ... resume=auto`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.config import validate
from gan_cli.config.identity import DATA, Change, differences, require_same
from gan_cli.core.extras import require_trackers
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.checkpoint import Checkpoint
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import METRICS, read_rows
from gan_cli.session import build
from gan_cli.session.session import Session, encoded
from gan_cli.training.distributed import Team


def with_own(saved: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's settings with those that its user changes.

    Args:
        saved: the run's, checked.
        changes: the same keys, None where the run's own stay. Another device resolves precision and engine anew.
    """
    settings = dict(saved)
    for group in ("train", "log", "evaluate", "checkpoint", "runtime", "dataset"):
        given = {key: value for key, value in changes[group].items() if value is not None}
        if group == "runtime" and given.get("device", saved[group]["device"]) != saved[group]["device"]:
            given = {"precision": "auto", "engine": "auto", **given}
        if unknown := [key for key in given if key not in saved[group]]:
            raise UserError(
                f"{group}.{unknown[0]}={given[unknown[0]]}: this run's {group} has no such key; leave it out"
            )
        settings[group] = {**saved[group], **given}
    return settings


def holds_run(path: Path) -> bool:
    """Tell whether a directory holds a run that can be continued; False: it is not there, or nothing is in it yet.

    Raises:
        UserError: it holds something else.
    """
    if not directory.used(path):
        return False
    if not ((path / directory.CONFIG).exists() or (path / directory.CHECKPOINTS).exists()):
        raise UserError(f"run_dir={path} holds no run (no {directory.CONFIG}) and is not empty: choose another run_dir")
    return True


def open_session(path: Path, settings: dict[str, Any], force: bool, team: Team | None = None) -> Session | int:
    """Continue a run from its newest checkpoint that verifies, or from step 0 where it was killed before its first.

    Args:
        path: the run's directory.
        settings: to go on with, validated.
        force: go on although the identity of the run differs from what it was.
        team: the processes that train together, of which this one leads; None: it trains alone.

    Returns:
        a session to train, or the step at which the run is finished already.

    Raises:
        UserError: another run than before without `force`, no checkpoint that verifies, or a directory in use.
    """
    require_trackers(settings["log"]["to"])
    plan = build.check(settings)
    run = RunDirectory(path)
    try:
        return _opened(plan, run, force, team)
    except BaseException:
        run.close()
        raise


def _opened(plan: build.Plan, run: RunDirectory, force: bool, team: Team | None) -> Session | int:
    warnings: list[str] = []
    found = checkpoint.load(run.checkpoints, warnings.append) if checkpoint.steps(run.checkpoints) else None
    before = _settings_before(run.path, found, plan.settings["allow_targets"])
    require_same(run.path, differences(before, plan.settings), force)
    step = found.meta["step"] if found else 0
    finished = step >= plan.settings["train"]["steps"]
    if finished and step < (own := _own_steps(run.path, before)):
        raise UserError(
            f"train.steps={plan.settings['train']['steps']}: {run.path} is at step {step} of {own} already; "
            f"train.steps={own} goes on with it"
        )
    if finished and before["dataset"].get("path") == plan.settings["dataset"].get("path"):
        return _done(run, step)
    data = plan.open()
    changes = differences(before, plan.settings) | _data_change(run.path, found, data.fingerprint)
    require_same(run.path, changes, force)
    if finished:
        return _done(run, step)
    evaluation = plan.evaluation(data)
    state = plan.state(data)
    if found:
        state.restore(found)
    told = {"warnings": warnings, "forced": changes}
    return Session(plan, run, data, state, found, resumed=True, evaluation=evaluation, team=team, **told)


def _settings_before(path: Path, found: Checkpoint | None, allow_targets: list[str]) -> dict[str, Any]:
    """Return what the checkpoint was trained with; the config beside it, where there is no checkpoint yet."""
    if found is None or "settings" not in found.meta:
        return validate.validate_saved(directory.read_config(path), allow_targets)
    if not isinstance(found.meta["settings"], dict):
        raise UserError(f"{found.path}: its settings are not those of a run")
    return found.meta["settings"]


def _data_change(path: Path, found: Checkpoint | None, fingerprint: str) -> dict[str, Change]:
    sessions = directory.read_status(path).get("sessions", [])
    last = sessions[-1].get("data") if sessions else None
    before = found.meta.get("data", last) if found else last
    return {} if before in (None, fingerprint) else {DATA: Change(before, fingerprint)}


def _own_steps(path: Path, before: Mapping[str, Any]) -> int:
    """Return where a run was to end, as its last session had it; a session writes its config before it trains."""
    try:
        steps = directory.read_config(path)["train"]["steps"]
    except (UserError, KeyError, TypeError):
        steps = None
    return steps if isinstance(steps, int) else before["train"]["steps"]


def _done(run: RunDirectory, step: int) -> int:
    """Complete the status of a run that was killed between its last checkpoint and its last word."""
    if directory.read_status(run.path).get("status") != "finished":
        rows = read_rows(run.path / METRICS) if (run.path / METRICS).is_file() else []
        rows = [row for row in rows if row["step"] <= step]
        final = {tag: value for tag, value in rows[-1].items() if tag != "step"} if rows else {}
        run.write_status("finished", step=step, final=encoded(final))
    run.close()
    return step
