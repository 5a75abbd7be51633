"""Where data are looked for and kept on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from gan_cli.errors import UserError

DOWNLOAD_TIMEOUT_SECONDS = 30.0


def user_directory() -> Path:
    """Return the user's own directory for what can be made or fetched again: $XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "gan_cli"


def downloads(name: str) -> Path:
    """Return where a downloaded dataset is kept."""
    return user_directory() / "data" / name


def require(library: str, name: str, role: str) -> None:
    """Refuse a dataset whose library is not installed.

    Args:
        library: the module's name.
        name: of the dataset and of the extra that installs the library.
        role: what the library does for it, "reads its file".

    Raises:
        UserError: names the extra.
    """
    if importlib.util.find_spec(library) is None:
        raise UserError(f"dataset={name}: {library} {role} and is not installed: pip install 'gan_cli[{name}]'")


def given(path: str, expected: str) -> Path:
    """Return `dataset.path` as a directory that exists.

    Args:
        path: as the user typed it; relative to the working directory.
        expected: what should be there, for the error.

    Raises:
        UserError: there is no such directory.
    """
    directory = Path(path).expanduser()
    if directory.is_dir():
        return directory
    what = "is a file" if directory.exists() else "does not exist"
    raise UserError(f"dataset.path={path} {what}: it must be a directory with {expected}")


def download(name: str, expected: str, fetch: Callable[[str], object]) -> Path:
    """Fetch a dataset into the user's directory, whole or not at all.

    Args:
        name: of the dataset, as the config names it.
        expected: the files that would have served, for the error.
        fetch: downloads into the directory it is given.

    Raises:
        UserError: the download failed; the text says which local path would have served.
    """
    target = downloads(name)
    temporary = None
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent)
        fetch(temporary)
        os.replace(temporary, target)
    except Exception as error:  # whatever a network, a mirror or a disk can do
        raise UserError(
            f"dataset={name} is not on this machine and cannot be downloaded ({_last_line(error)}): "
            f"put {expected} into {target}, or name their directory with dataset.path=DIRECTORY"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
