"""Remove prepared pictures and features, which are made again when they are needed."""

from __future__ import annotations

import os

from rich.filesize import decimal as size

from gan_cli.config.arguments import Parser
from gan_cli.core.text import say
from gan_cli.data.caches import Cache, caches, remove
from gan_cli.data.places import user_directory
from gan_cli.errors import UserError

_EPILOG = """\
`gan doctor` lists the caches with their sizes. Runs, data sets and downloads stay. Nothing is asked, since whatever is
removed is made again; a run that reads a cache at this time continues."""


def main(argv: list[str]) -> int:
    """Remove caches, and print a line for each.

    Raises:
        UserError: a word that names no cache; then nothing is removed.
    """
    parser = Parser(prog="gan clean", description=__doc__, epilog=_EPILOG)
    parser.add_argument(
        "caches",
        nargs="*",
        metavar="CACHE or FOLDER",
        help="a cache, by its name or path, or the folder that its pictures are from (default: all caches)",
    )
    words = parser.parse_args(argv).caches
    found = caches()
    chosen = {cache.path: cache for word in words for cache in _named(word, found)} if words else None
    removed = 0
    for cache in found if chosen is None else chosen.values():
        if remove(cache):
            removed += cache.size
            say(f"removed {cache.path}: {size(cache.size)}, {cache.text}")
        else:
            say(f"kept {cache.path}: a process is making it")
    say(f"{size(removed)} freed" if found else f"{user_directory()} has no caches")
    return 0


def _named(word: str, found: list[Cache]) -> list[Cache]:
    """Return the caches that a word means.

    Raises:
        UserError: none.
    """
    path = os.path.abspath(os.path.expanduser(word))
    meant = [cache for cache in found if word == cache.path.name or path in (str(cache.path), cache.place)]
    if not meant:
        raise UserError(f"{word}: not a cache, and no cache is of pictures from there; `gan doctor` lists the caches")
    return meant
