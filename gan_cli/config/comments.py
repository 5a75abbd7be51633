"""The comments of the config tree's keys, read without a YAML parser, and shown beside the keys of a config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_KEY = re.compile(r"( *)'?([A-Za-z_]\w*)'?:(?: |$)")
_COMMENT = re.compile(r"(?:^|\s)# ?(.*)")
_PARENT = re.compile(r"^  - (\w+)(?: |$)", re.MULTILINE)  # in a defaults list: an option of the same group


def comments(path: Path, group: str = "") -> dict[str, str]:
    """Return the comment behind each key of a YAML file, or else the one in the line above it, by dotted key.

    Args:
        path: the file; of an option, what it takes from others of its group is read too.
        group: where the keys of an option stand, unless it says that they stand at the top.
    """
    text = path.read_text(encoding="utf-8")
    parents = [path.with_name(f"{name}.yaml") for name in _PARENT.findall(text)] if group else []
    found = {key: words for parent in parents if parent.is_file() for key, words in comments(parent, group).items()}
    prefix = f"{group}." if group and "# @package _global_" not in text else ""
    above, seen = "", False  # the comments before the first key are about the file
    for key, line in _keys(text):
        if key and (words := _COMMENT.search(line) or _COMMENT.search(above)):
            found[prefix + key] = words[1]
        seen = seen or bool(key)
        above = line if seen and line.lstrip().startswith("#") else ""
    return found


def commented(text: str, known: Mapping[str, str]) -> str:
    """Return a composed config as YAML, each key with its comment."""
    lines = [f"{line}  # {known[key]}" if known.get(key) else line for key, line in _keys(text)]
    return "".join(f"{line}\n" for line in lines)


def _keys(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the dotted key that it gives a value to, '' where it gives none."""
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _KEY.match(line)
        if match is None:
            yield "", line
            continue
        while stack and stack[-1][0] >= len(match[1]):
            stack.pop()
        stack.append((len(match[1]), match[2]))
        yield ".".join(name for _, name in stack), line
