"""Reads what may come from somebody else: plain files, plain values, and no more of them than a small file can hold."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gan_cli.errors import UserError

CONFIG_BYTES = 2**17  # of a YAML file
MAX_ALIASES = 100  # in a YAML file
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
MAX_DEPTH = 16  # of directories in a run; gan itself makes three
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Loader(yaml.SafeLoader):
    """Refuses aliases that multiply: those inside an anchored value, and more than a config needs."""

    _aliases = _anchored = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose what the next event begins."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._aliases += 1
            if self._anchored or self._aliases > MAX_ALIASES:
                raise ValueError(f"an alias inside what an anchor names, or more than {MAX_ALIASES} aliases")
            return super().compose_node(parent, index)
        anchored = event.anchor is not None
        self._anchored += anchored
        node = super().compose_node(parent, index)
        self._anchored -= anchored
        return node


_Plain = getattr(yaml, "CSafeLoader", Loader)  # libyaml's, a ninth of the time; for texts without anchors


def read(path: Path, limit: int) -> bytes:
    """Return a plain file's content; a pipe or a device is not waited for.

    Args:
        path: its last part must not be a link.
        limit: bytes that are read at most.

    Raises:
        OSError: it cannot be read, is a link, a pipe, a device or a directory, or is larger.
    """
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode):
        kind = "is a link" if stat.S_ISLNK(about.st_mode) else "is not a plain file"
        raise OSError(errno.EINVAL, kind, str(path))
    if about.st_size > limit:
        raise OSError(errno.EFBIG, f"holds {about.st_size:,} bytes; at most {limit:,} are allowed", str(path))
    with path.open("rb") as file:
        return file.read(about.st_size)


def load(path: Path, limit: int, parse: Callable[[bytes], Any]) -> Any:
    """Return the value of a plain file; arguments as for `read`.

    Raises:
        FileNotFoundError: there is none.
        UserError: it cannot be read, or `parse` refuses it with a ValueError.
    """
    try:
        return parse(read(path, limit))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse_json(content: bytes) -> Any:
    """Return the value of strict JSON.

    Raises:
        ValueError: anything else; the text is one line.
    """
    return _checked(lambda: json.loads(content.decode("utf-8-sig")))


def parse_yaml(content: bytes) -> Any:
    """Return the value of YAML that holds nothing but what JSON could hold.

    Raises:
        ValueError: anything else; the text is one line.
    """

    def parse() -> Any:
        text = content.decode()
        return yaml.load(text, Loader if "&" in text else _Plain)

    return _checked(parse)


def _checked(parse: Callable[[], Any]) -> Any:
    try:
        return check(parse())
    except Exception as error:  # what a tag asks for cannot be made of its text: the library raises many kinds
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def check(value: Any) -> Any:
    """Return a value that is made of mappings with text as keys, lists, text, finite numbers, true, false and null.

    Raises:
        ValueError: it holds something else, or text that no file name and no terminal could show.
    """
    rest = [value]
    while rest:
        item = rest.pop()
        kind = type(item)
        if kind is str:
            if _NOT_TEXT.search(item):
                raise ValueError("a character that is not text")
        elif kind is dict:
            rest += item
            if any(type(key) is not str for key in item):
                raise ValueError("a key that is not text")
            rest += item.values()
        elif kind is list:
            rest += item
        elif kind is int:
            if item.bit_length() > 63:
                raise ValueError("a whole number of more than 63 bits")
        elif kind is float:
            if not math.isfinite(item):
                raise ValueError("a number that is not finite")
        elif kind is not bool and item is not None:
            raise ValueError(f"a value of the type {kind.__name__}")
    return value


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
