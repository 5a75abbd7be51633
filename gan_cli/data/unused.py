"""Files that look like pictures of a dataset and are not used, by the reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from gan_cli.core.text import visible

NOWHERE = "broken link"
HIDDEN = "hidden"
OTHER_ENDING = "ending that is not read"
NO_FILE = "not a regular file"
EMPTY = "folder without pictures"
UNREADABLE = "unreadable"
RARE = "only rare tags"

OTHER_ENDINGS = (
    *(".apng", ".avif", ".cr2", ".cr3", ".dcm", ".dds", ".dng", ".eps", ".exr", ".hdr", ".heic", ".heif", ".icns"),
    *(".ico", ".j2c", ".j2k", ".jp2", ".jpe", ".jpf", ".jpx", ".jxl", ".mpo", ".nef", ".orf", ".pcx", ".pfm", ".psd"),
    *(".qoi", ".raf", ".ras", ".raw", ".rw2", ".sgi", ".svg", ".tga", ".wmf", ".xbm", ".xcf", ".xpm"),
)


class Unused(NamedTuple):
    """A file that looks like a picture, or a folder, and is not used.

    Attributes:
        kind: one of the texts above.
        name: where it is.
        reason: what is wrong with it, where the kind does not say all.
    """

    kind: str
    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" if self.reason else self.name


def summary(unused: Sequence[Unused]) -> str:
    """Return in one line how many there are of each kind, and the first of each."""
    by_kind = [(kind, list(found)) for kind, found in groupby(sorted(unused), attrgetter("kind"))]
    return "; ".join(
        f"{kind}: {len(found):,}, {'the first ' if len(found) > 1 else ''}{visible(found[0])}"
        for kind, found in by_kind
    )


def listing(unused: Sequence[Unused]) -> bytes:
    """Return them as lines `kind<TAB>name<TAB>reason`, in which a name keeps the bytes that it has on the disk."""
    lines = ("\t".join(part.replace("\n", " ").replace("\t", " ") for part in one) + "\n" for one in sorted(unused))
    return "".join(lines).encode("utf-8", "surrogateescape")
