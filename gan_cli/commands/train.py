"""Train one run from a config."""

from __future__ import annotations

from gan_cli.config.arguments import CommandLine
from gan_cli.config.schema import RunConfig
from gan_cli.core.text import say
from gan_cli.session import start


def train(config: RunConfig, line: CommandLine) -> None:
    """Train a new run, or continue the run in `run_dir` if `resume` allows it.

    A finished run is a success, so that a scheduler may rerun its command.

    Raises:
        GanError: the config cannot be run, or the run stopped early.
    """
    ended = start.train(config, line)
    if ended.was_finished:
        say(start.was_finished(ended))
