"""Check this machine, or a run: what is intact, what is wrong, and how to continue."""

from __future__ import annotations

from pathlib import Path

from gan_cli.commands._doctor_findings import table
from gan_cli.config.arguments import Parser
from gan_cli.config.targets import allowed_targets
from gan_cli.core.text import say
from gan_cli.runs.finding import find_one


def main(argv: list[str]) -> int:
    """Print the findings; nothing is written.

    Returns:
        0 if there is no problem, 1 if a line is marked with `!`.

    Raises:
        UserError: RUN is not a run's directory.
    """
    parser = Parser(
        prog="gan doctor",
        description=__doc__,
        epilog="Exit code 0: no problem. 1: the lines marked with ! are problems. 2: RUN is not a run's directory. "
        "For a run with your own parts, add 'allow_targets=[my_losses]'.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's directory (default: check the machine)")
    words, allowed = allowed_targets(argv)
    run = parser.parse_args(words).run
    if run is not None:
        run = find_one(run, "")
        from gan_cli.commands._doctor_run import examine  # brings torch along

        sections = {run: examine(Path(run), allowed)}
    else:
        from gan_cli.commands._doctor_machine import extras, hardware, kept, software

        sections = {"Software": software(), "Machine": hardware(), "Caches": kept(), "Optional": extras()}
    say("\n\n".join(table(title, findings) for title, findings in sections.items()))
    return int(any(finding.wrong for findings in sections.values() for finding in findings))
