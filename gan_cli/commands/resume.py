"""Continue a run from its newest intact checkpoint."""

from __future__ import annotations

from pathlib import Path

from gan_cli.config.command_line import CommandLine
from gan_cli.config.schema import ResumeConfig
from gan_cli.config.validate import validate_saved
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session.job import Extras
from gan_cli.session.resume import open_session, with_changes
from gan_cli.session.worker import follow, join


def resume(config: ResumeConfig, line: CommandLine) -> None:
    """Continue a run in its own directory; without a checkpoint, start it again.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    path = Path(config.run)
    saved = validate_saved(directory.read_config(path), config.allow_targets)
    of_run = with_changes(saved, config)
    group = join(of_run)
    if group and not group.is_main:
        follow(of_run, group)
        return
    resumed = open_session(path, of_run, config.force, Extras(group=group))
    if resumed.session is None:
        raise UserError(
            f"{path} has finished its {resumed.step} steps; train longer with train.steps={2 * resumed.step}"
        )
    resumed.session.train()
