"""Check this machine, or a run: what is intact, what is wrong, and how to continue."""

from __future__ import annotations

from pathlib import Path

from gan_cli.commands._doctor_findings import table
from gan_cli.config.arguments import Parser, key_of
from gan_cli.config.targets import permitted
from gan_cli.core.text import say
from gan_cli.errors import UserError
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
        epilog="Exit code 0: no problem. 1: the lines marked with ! are problems. 2: RUN is not a run's directory.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's directory (default: check the machine)")
    parser.add_argument(
        "allow_targets",
        nargs="?",
        metavar="allow_targets=[MODULE]",
        help="modules with your own parts that the run uses",
    )
    arguments = parser.parse_args(argv)
    run = arguments.run
    if run is not None:
        run = find_one(run, "")
        from gan_cli.commands._doctor_run import examine  # brings torch along

        sections = {run: examine(Path(run), _prefixes(arguments.allow_targets))}
    else:
        from gan_cli.commands._doctor_machine import extras, hardware, kept, software

        sections = {"Software": software(), "Machine": hardware(), "Caches": kept(), "Optional": extras()}
    say("\n\n".join(table(title, findings) for title, findings in sections.items()))
    return int(any(finding.wrong for findings in sections.values() for finding in findings))


def _prefixes(word: str | None) -> list[str]:
    if word is not None and key_of(word) != "allow_targets":
        raise UserError(f"{word}: unexpected; gan doctor takes only a run and 'allow_targets=[my_losses]'")
    return [] if word is None else permitted([word])
