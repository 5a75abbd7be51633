"""Show the config groups and their options with their meanings and papers; or the curves of a run."""

from __future__ import annotations

from gan_cli.commands._list_curves import table
from gan_cli.config.arguments import Parser
from gan_cli.config.tree import directories_with, groups
from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError

WIDTH = 120  # columns of the matrix


def main(argv: list[str]) -> int:
    """Print one group or all groups with their options and meanings; or the curves, or which pairs of options run.

    Raises:
        UserError: no such group, directory or dataset.
    """
    parser = Parser(prog="gan list", description=__doc__, epilog="Choose an option with gan train GROUP=OPTION.")
    parser.add_argument("group", nargs="?", help="one group, such as loss; or curves (default: all groups)")
    parser.add_argument("--config-dir", "-cd", metavar="DIR", help="also show the options in DIR")
    parser.add_argument(
        "--matrix",
        metavar="DATASET",
        nargs="?",
        const="",
        help="show which pairs of options run and why others are refused, for a dataset or a shape such as 3x64x64",
    )
    arguments = parser.parse_args(argv)
    directories = directories_with(arguments.config_dir)
    if arguments.matrix is not None:
        if arguments.group is not None:
            raise UserError(f"{arguments.group}: --matrix has its own groups; leave out {arguments.group}")
        from gan_cli.commands._list_matrix import render, tables  # torch: seconds

        print(render(tables(arguments.matrix or None, arguments.config_dir), WIDTH))
        return 0
    found = groups(*directories)
    if arguments.group == "curves" and "curves" not in found:
        print(table(*directories))
        return 0
    if arguments.group is not None:
        if arguments.group not in found:
            hint = did_you_mean(arguments.group, [*found, "curves"]) or ";"
            raise UserError(f"{arguments.group}: no such group{hint} groups: {', '.join(found)}; or curves")
        found = {arguments.group: found[arguments.group]}
    print("\n\n".join(_table(group, options) for group, options in found.items()))
    return 0


def _table(group: str, options: dict[str, str]) -> str:
    width = max(map(len, options))
    return "\n".join([group, *(f"  {name:{width}}  {text}".rstrip() for name, text in options.items())])
