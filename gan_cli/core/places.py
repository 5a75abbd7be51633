"""Where a command writes what it makes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gan_cli.core.text import is_text, shell_word, visible
from gan_cli.errors import UserError

_OF_FILES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pdf", ".png", ".ppm", ".svg", ".tif", ".tiff", ".webp"),
    *(".csv", ".html", ".json", ".md", ".npy", ".npz", ".onnx", ".pt", ".pt2", ".pth", ".safetensors", ".zip"),
)


def require_text(words: Iterable[str]) -> None:
    """Refuse names that are not UTF-8, which no config and no run.json could hold, and such a working directory.

    Args:
        words: what the user typed.

    Raises:
        UserError: the first of them; or there is no working directory any more.
    """
    if foreign := next((word for word in words if not is_text(word)), None):
        raise UserError(f"{visible(foreign)}: is not UTF-8, and no config can hold it: rename the file or directory")
    try:
        here = os.getcwd()
    except FileNotFoundError as error:
        raise UserError("the working directory was removed: cd to another one") from error
    if not is_text(here):
        raise UserError(f"the working directory {visible(here)} is not UTF-8: rename it, or cd to another one")


def place(chosen: str | None, base: Path, *default: str, suffixes: Sequence[str] = (), key: str = "out=") -> Path:
    """Return where a command writes: what its user chose, or a place of its own below a directory that was read.

    That directory may be a stranger's: a link in it would lead the files to wherever the stranger likes.

    Args:
        chosen: by the user, who may choose a link; where one file is written, its directory may be chosen too.
        base: the directory.
        default: the parts of the place below it.
        suffixes: of the one file that is written; (): a directory is.
        key: how the command spells the choice.

    Raises:
        UserError: the default is, or leads through, a link; or as `require_suffix`.
    """
    if chosen:
        require_suffix(chosen, suffixes, key)
        return Path(chosen) / default[-1] if suffixes and _is_directory(chosen) else Path(chosen)
    found = base
    for part in default:
        found = found / part
        if found.is_symlink():
            raise UserError(f"{found} is a link, and nothing is written through it: remove it, or choose another place")
    return found


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Make an error of the disk inside one about the place that a command writes to.

    Raises:
        UserError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error


def require_suffix(chosen: str | None, suffixes: Sequence[str] = (), key: str = "out=") -> None:
    """Refuse a name that says something else than what is written; arguments as for `place`.

    Raises:
        UserError: a file of another kind, or a file where a directory is written.
    """
    if not chosen or _is_directory(chosen):
        return
    suffix = Path(chosen).suffix
    if suffixes and suffix.lower() not in suffixes:
        kind = f"a {suffix} file" if suffix else "a file without an ending"
        others = f", or {' '.join(suffixes[1:])} instead" if suffixes[1:] else ""
        good = shell_word(f"{Path(chosen).with_suffix('' if suffix.lower() in _OF_FILES else suffix)}{suffixes[0]}")
        raise UserError(f"{key}{chosen}: is not written as {kind}; use {key}{good}{others}")
    if not suffixes and suffix.lower() in _OF_FILES:
        good = shell_word(f"{Path(chosen).with_suffix('')}/")
        raise UserError(f"{key}{chosen}: a directory is written, not a {suffix} file; use {key}{good}")


def _is_directory(chosen: str) -> bool:
    return chosen.endswith(os.sep) or os.path.isdir(chosen)
