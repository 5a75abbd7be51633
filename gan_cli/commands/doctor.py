"""Look at this machine, or at a run: what is whole, what is wrong, and what continues it."""

from __future__ import annotations

from pathlib import Path

from gan_cli.commands._findings import any_wrong, table
from gan_cli.commands._parser import Parser
from gan_cli.config.targets import check_prefixes
from gan_cli.errors import UserError


def main(argv: list[str]) -> int:
    """Print what was found; nothing is written, neither here nor into the run.

    Returns:
        0 where all is well, 1 where a line is marked with `!`.

    Raises:
        UserError: RUN is no run's directory.
    """
    parser = Parser(
        prog="gan doctor",
        description=__doc__,
        epilog="Exit code 0: all is well. 1: what is marked with ! needs a look. 2: RUN is not a run's directory.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's directory; the machine, where it is left out")
    parser.add_argument(
        "allow_targets", nargs="?", metavar="allow_targets=[MODULE]", help="modules of your own parts that the run uses"
    )
    arguments = parser.parse_args(argv)
    run = arguments.run
    if run is not None:
        if not Path(run).is_dir():
            raise UserError(f"{run}: no such directory; `ls runs` shows the runs here")
        from gan_cli.commands._run_findings import examine  # brings torch along

        sections = {run: examine(Path(run), _prefixes(arguments.allow_targets))}
    else:
        from gan_cli.commands import _machine

        sections = {"Software": _machine.software(), "Machine": _machine.hardware(), "Optional": _machine.extras()}
    print("\n\n".join(table(title, findings) for title, findings in sections.items()))
    return int(any(any_wrong(findings) for findings in sections.values()))


def _prefixes(word: str | None) -> list[str]:
    if word is None:
        return []
    key, _, value = word.partition("=")
    if key != "allow_targets":
        raise UserError(f"{word}: gan doctor takes a run and allow_targets=[my_losses], nothing else")
    return check_prefixes([name.strip() for name in value.strip("[]").split(",")])
