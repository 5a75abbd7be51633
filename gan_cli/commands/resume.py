"""`gan resume`: continue a run from its newest good checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_cli.config import validate
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session.resume import open_session, with_own
from gan_cli.session.worker import follow
from gan_cli.training import distributed


def resume(settings: dict[str, Any]) -> None:
    """Continue a run in its own directory; one that was killed before its first checkpoint begins again.

    Args:
        settings: run, force, and the keys that may differ from the first part.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    path = Path(settings["run"])
    saved = validate.validate_saved(directory.read_config(path), settings["allow_targets"])
    settings, force = with_own(saved, settings), settings["force"]
    team = distributed.join(settings)
    if team and not team.leads:
        follow(settings, team)
        return
    opened = open_session(path, settings, force, team)
    if isinstance(opened, int):
        raise UserError(f"{path} has finished its {opened} steps: train.steps={2 * opened} trains on")
    opened.train()
