"""Where a command writes what it makes."""

from __future__ import annotations

from pathlib import Path

from gan_cli.errors import UserError


def place(chosen: str | None, base: Path, *default: str) -> Path:
    """Return where a command writes: what its user chose, or a place of its own below a directory that was read.

    That directory may be a stranger's: a link in it would lead the files to wherever the stranger likes.

    Args:
        chosen: by the user, who may choose a link.
        base: the directory.
        default: the parts of the place below it.

    Raises:
        UserError: the default is, or leads through, a link.
    """
    if chosen:
        return Path(chosen)
    found = base
    for part in default:
        found = found / part
        if found.is_symlink():
            raise UserError(f"{found} is a link, and nothing is written through it: remove it, or choose another place")
    return found
