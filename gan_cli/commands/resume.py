"""Continue a run from its newest intact checkpoint."""

from __future__ import annotations

from gan_cli.config.arguments import CommandLine
from gan_cli.config.command_schemas import ResumeConfig
from gan_cli.session import start


def resume(config: ResumeConfig, line: CommandLine) -> None:
    """Continue a run in its own directory; without a checkpoint, start it again.

    Raises:
        GanError: the run cannot be continued, is finished, or stopped early again.
    """
    start.resume(config)
