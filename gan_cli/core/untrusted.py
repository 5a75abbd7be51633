"""Reads files that may come from somebody else: plain values only, limited in size and depth."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

import yaml

CONFIG_BYTES = 2**17  # of a YAML file
MAX_CHARACTERS = 10**6  # of a YAML file with its aliases written out
MAX_DEPTH = 50
MAX_DIGITS = 20
MAX_NUMBER = 100  # characters of a number in YAML
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_PLAIN = (str, bool, int, float, type(None))


class _Loader(yaml.SafeLoader):
    """Gives up at a depth that no config has, before the parser's time and the stack do."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose what the next event begins."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read(path: Path, limit: int) -> bytes:
    """Return a plain file's content; what is no plain file is not waited for.

    Args:
        path: its last part must not be a link.
        limit: bytes that are read at the most.

    Raises:
        OSError: it cannot be read, is a link, a pipe, a device or a directory, or is larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a link", str(path)) from error
        raise
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    with open(descriptor, "rb") as file:
        if about.st_size > limit:
            raise OSError(errno.EFBIG, f"holds {about.st_size:,} bytes, {limit:,} are the most there can be", str(path))
        return file.read(limit)


def parse_json(content: bytes) -> Any:
    """Return the value of strict JSON: each key once, finite numbers, at most MAX_DEPTH levels.

    Raises:
        ValueError: anything else; the text is one line.
    """
    try:
        value = json.loads(
            content.decode(),
            object_pairs_hook=_pairs,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_not_finite,
        )
    except RecursionError as error:
        raise ValueError(f"more than {MAX_DEPTH} levels deep") from error
    return check(value)


def parse_yaml(content: bytes) -> Any:
    """Return the value of YAML that holds nothing but what JSON could hold; see `compose_yaml`.

    Raises:
        ValueError: anything else; the text is one line.
    """
    node = compose_yaml(content)
    loader = yaml.SafeLoader("")
    try:
        return None if node is None else check(loader.construct_document(node))
    except Exception as error:  # what a tag asks for cannot be made of its text: the library raises many kinds
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def compose_yaml(content: bytes) -> yaml.Node | None:
    """Return the nodes of one YAML document, with each key once and aliases that do not multiply beyond all measure.

    Raises:
        ValueError: anything else; the text is one line.
    """
    try:
        node = yaml.compose(content.decode(), _Loader)
        if node is not None:
            _characters(node, {})
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    return node


def check(value: Any) -> Any:
    """Return a value that is made of mappings with text as keys, lists, text, finite numbers, true, false and null.

    Raises:
        ValueError: it holds something else, or text that no file name and no terminal could show.
    """
    rest = [(value, 0)]
    while rest:
        item, depth = rest.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels deep")
        if isinstance(item, dict):
            rest += [(part, depth + 1) for pair in item.items() for part in pair]
            if not all(isinstance(key, str) for key in item):
                raise ValueError("a key that is not text")
        elif isinstance(item, list):
            rest += [(part, depth + 1) for part in item]
        elif not isinstance(item, _PLAIN):
            raise ValueError(f"a value of the type {type(item).__name__}")
        elif isinstance(item, str) and ("\0" in item or any("\ud800" <= c <= "\udfff" for c in item)):
            raise ValueError("a character that is not text")
        elif isinstance(item, int) and item.bit_length() > 63:
            raise ValueError("a whole number of more than 63 bits")
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("a number that is not finite")
    return value


def _characters(node: yaml.Node, known: dict[int, int]) -> int:
    """Count a node's characters with every alias written out; `known` holds 0 for nodes that are being counted."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias that refers to what it stands in")
        return known[id(node)]
    if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER:
        raise ValueError(f"a number of more than {MAX_NUMBER} characters")
    known[id(node)] = 0
    total = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) > len(set(keys)):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"the key {twice[:80]} twice")
        total += sum(_characters(part, known) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_characters(part, known) for part in node.value)
    if total > MAX_CHARACTERS:
        raise ValueError(f"aliases that stand for more than {MAX_CHARACTERS:,} characters")
    known[id(node)] = total
    return total


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _not_finite(digits[:80])


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"the number {text}, which is not finite")
