"""`gan resume`: continue a run from its newest good checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_cli import build, config
from gan_cli.errors import UserError
from gan_cli.training import checkpoint, rundir
from gan_cli.training.session import Session


def resume(settings: dict[str, Any]) -> None:
    """Continue a run in its own directory; one that was killed before its first checkpoint begins again.

    Args:
        settings: run, and what may differ from the first part: steps (train.steps), device, precision and threads.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    path = Path(settings["run"])
    saved = config.validate_saved(rundir.read_config(path), settings["allow_targets"])
    if settings["steps"]:
        saved["train"]["steps"] = settings["steps"]
    if settings["device"]:
        saved["runtime"] |= {"device": settings["device"], "precision": "auto"}
    saved["runtime"] |= {key: settings[key] for key in ("precision", "threads") if settings[key]}
    plan = build.check(saved)
    data = plan.open()
    state = plan.state(data)
    run = rundir.RunDirectory(path)
    warnings: list[str] = []
    found = None
    if checkpoint.steps(run.checkpoints):
        found = checkpoint.load(run.checkpoints, warnings.append)
        state.restore(found)
    if state.step >= state.total_steps:
        raise UserError(f"{path} has finished its {state.step} steps: steps={2 * state.step} trains on")
    Session(plan, run, data, state, found, resumed=True, warnings=warnings).train()
