"""Write a run's generator for other programs."""

from __future__ import annotations

import sys

from gan_cli.config.arguments import CommandLine, key_of
from gan_cli.config.command_schemas import ExportConfig
from gan_cli.core.text import say
from gan_cli.session.export import export as exported
from gan_cli.session.export import refuse_unused
from gan_cli.session.graphs import LIMIT


def export(config: ExportConfig, line: CommandLine) -> None:
    """Write a file or a directory, and print how far a graph is from the generator, and the path.

    Raises:
        UserError: there is no run, no intact checkpoint, or it cannot be written.
        GanError: a graph makes other samples than the generator.
    """
    refuse_unused(config.format, map(key_of, line.overrides))
    found = exported(config)
    for note in found.notes:
        say(f"gan: {note}", sys.stderr)
    if found.difference is not None:
        say(f"largest difference from the generator: {found.difference:.2g} (at most {LIMIT:g})")
    say(found.path)
