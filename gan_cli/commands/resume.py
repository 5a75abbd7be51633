"""`gan resume`: continue a run from its newest good checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_cli import build, config
from gan_cli.errors import UserError
from gan_cli.training import rundir
from gan_cli.training.session import Session


def resume(settings: dict[str, Any]) -> None:
    """Continue a run in its own directory.

    Args:
        settings: run, and what may differ from the first part: steps (train.steps) and device.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    path = Path(settings["run"])
    saved = config.validate_saved(rundir.read_config(path), settings["allow_targets"])
    if settings["steps"]:
        saved["train"]["steps"] = settings["steps"]
    if settings["device"]:
        saved["runtime"]["device"] = settings["device"]
    plan = build.check(saved)
    data = plan.dataset.open(saved["train"]["batch_size"], saved["seed"], plan.device)
    run = rundir.RunDirectory(path)
    session = Session(plan, run, data, resume=True)
    if session.state.step >= session.state.total_steps:
        raise UserError(f"{path} has finished its {session.state.step} steps: steps={2 * session.state.step} trains on")
    run.write_config({**plan.settings, "run_dir": str(path)})
    session.train()
