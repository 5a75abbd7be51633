"""The places on this machine where datasets are searched and stored."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gan_cli.core.extras import pip_install
from gan_cli.errors import UserError

DOWNLOAD_TIMEOUT_SECONDS = 30.0


def user_directory() -> Path:
    """Return the user's directory for files that can be made or downloaded again: $XDG_CACHE_HOME or ~/.cache.

    Where a user has no home, as in a container whose user has no name, it is one of the directory for temporary files.
    """
    base, home = os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~")
    if os.path.isabs(base):
        return Path(base) / "gan_cli"
    if os.path.isabs(home):
        return Path(home) / ".cache" / "gan_cli"
    return Path(tempfile.gettempdir()) / f"gan_cli-{os.geteuid()}"


def downloads(name: str) -> Path:
    """Return the directory of a downloaded dataset."""
    return user_directory() / "data" / name


def require(library: str, extra: str, name: str, role: str, otherwise: str = "") -> None:
    """Raise an error for a dataset whose library is not installed.

    Args:
        library: name of the module.
        extra: extra of this package that installs the library.
        name: name of the dataset.
        role: what the library does for it, "reads its file".
        otherwise: an alternative without the library.

    Raises:
        UserError: the library is not installed; the message names the extra.
    """
    if importlib.util.find_spec(library) is None:
        fix = pip_install(extra) + (f", or {otherwise}" if otherwise else "")
        raise UserError(f"dataset={name}: {library} {role} and is not installed: {fix}")


def given(path: str, expected: str, key: str = "dataset.path") -> Path:
    """Return a path of the user's as an existing directory.

    Args:
        path: path as typed by the user, relative to the working directory.
        expected: the expected files, for the error.
        key: where the path stands in the config, for the error.

    Raises:
        UserError: there is no such directory.
    """
    directory = Path(os.path.expanduser(path))
    if directory.is_dir():
        return directory
    what = "is a file" if directory.exists() else "does not exist"
    raise UserError(f"{key}={path} {what}: it must be a directory with {expected}")


def download(name: str, expected: str, fetch: Callable[[str], object]) -> Path:
    """Download a dataset into the user's directory, whole or not at all.

    Args:
        name: name of the dataset in the config.
        expected: the files that are needed, for the error.
        fetch: function that downloads into a given directory.

    Raises:
        UserError: the download failed; the text names the local path for the files.
    """
    target = downloads(name)
    temporary = None
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent)
        fetch(temporary)
        with suppress(FileExistsError):  # another process was faster; the caller looks at what is there
            _rename(temporary, target)
    except Exception as error:  # whatever a network, a mirror or a disk can do
        raise UserError(
            f"dataset={name} is not on this machine and cannot be downloaded ({_last_line(error)}): "
            f"{placing(name, expected)}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def placing(name: str, expected: str) -> str:
    """Return how a user can supply the files of a dataset."""
    return f"put {expected} into {downloads(name)}, or name its directory with dataset.path=DIRECTORY"


def _rename(directory: str, target: Path) -> None:
    try:
        os.replace(directory, target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError from error
        raise


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
