"""Refuses a run directory that holds anything but plain files and directories."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gan_cli.errors import UserError

MAX_DEPTH = 16  # of directories in a run; gan itself makes three
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_tree(run: Path, written: bool = False) -> None:
    """Refuse a run directory in which a name leads elsewhere: a link, a pipe, a socket or a device, however deep.

    The run directory itself may be a link: the user named it.

    Args:
        run: an existing directory.
        written: files will be written too, so those that can grow must have no second name outside.

    Raises:
        UserError: it is one, or cannot be read.
    """
    rest = [(run, 0)]
    while rest:
        directory, depth = rest.pop()
        if depth > MAX_DEPTH:
            raise UserError(f"{run} is not a run: its directories are more than {MAX_DEPTH} deep")
        try:
            with os.scandir(directory) as entries:
                found = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            raise UserError(f"{error.filename or directory} cannot be read ({error.strerror})") from error
        for path, about in found:
            kind = stat.S_IFMT(about.st_mode)
            if kind == stat.S_IFDIR:
                rest.append((path, depth + 1))
            elif kind != stat.S_IFREG:
                raise UserError(
                    f"{path} is {_KINDS.get(kind, 'no file')}; a run may hold only plain files and directories: "
                    f"remove it, or replace it by the file that it points to"
                )
            elif written and not depth and about.st_nlink > 1:
                raise UserError(
                    f"{path} has another name (a hard link), which would be written too: make a copy of the run (cp -r)"
                )
