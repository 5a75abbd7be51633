"""Show the config groups and their options, each with its meaning and paper."""

from __future__ import annotations

from pathlib import Path

from gan_cli.confdir import conf_dir, groups
from gan_cli.errors import UserError
from gan_cli.parser import Parser
from gan_cli.wording import did_you_mean


def main(argv: list[str]) -> int:
    """Print one group or all of them, as `group` and below it `option  meaning`.

    Raises:
        UserError: no such group or directory.
    """
    parser = Parser(prog="gan list", description=__doc__, epilog="An option is chosen as gan train GROUP=OPTION.")
    parser.add_argument("group", nargs="?", help="one group, such as loss; all of them if left out")
    parser.add_argument("--config-dir", "-cd", metavar="DIR", help="show the options in DIR too")
    arguments = parser.parse_args(argv)
    directories = [conf_dir()]
    if arguments.config_dir is not None:
        own = Path(arguments.config_dir)
        if not own.is_dir():
            raise UserError(f"--config-dir {own}: no such directory")
        directories.insert(0, own)
    found = groups(*directories)
    if arguments.group is not None:
        if arguments.group not in found:
            hint = did_you_mean(arguments.group, found) or ";"
            raise UserError(f"{arguments.group}: no such group{hint} groups: {', '.join(found)}")
        found = {arguments.group: found[arguments.group]}
    print("\n\n".join(_table(group, options) for group, options in found.items()))
    return 0


def _table(group: str, options: dict[str, str]) -> str:
    width = max(map(len, options))
    return "\n".join([group, *(f"  {name:{width}}  {text}".rstrip() for name, text in options.items())])
