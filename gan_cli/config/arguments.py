"""Sorts command-line arguments into overrides, flags and the bare argument (`gan resume RUN`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError

# Hydra's flags: those that take a value, with an example, and those that do not. `--info` takes one of INFO or none.
_VALUED = {"--package": "train", "--config-path": "DIR", "--config-name": "NAME", "--config-dir": "DIR", "--cfg": "job"}
_PLAIN = ("--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun", "--shell-completion")
_NAMES = (*_VALUED, *_PLAIN, "--info")
_SHORT = {"-p": "--package", "-cp": "--config-path", "-cn": "--config-name", "-cd": "--config-dir", "-c": "--cfg"}
_SHORT |= {"-h": "--help", "-r": "--run", "-m": "--multirun", "-sc": "--shell-completion", "-i": "--info"}
_CFG = ("job", "hydra", "all")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_GROUPS = {"dataset_b": "dataset@dataset_b"}  # a second choice of a group, as Hydra names it
_KEY = re.compile(r"^[+~]*([A-Za-z_]\w*)[\w.@/:-]*=")


class Arguments(NamedTuple):
    """A command's arguments."""

    overrides: list[str]  # everything that is not a flag, in order
    flags: dict[str, str | None]  # long name -> value, None where it has none

    def argv(self) -> list[str]:
        """Return them as Hydra's parser wants them: overrides, then flags."""
        flags = [part for name, value in self.flags.items() for part in ((name,) if value is None else (name, value))]
        return self.overrides + flags

    def places(self) -> list[str]:
        """Return those flags that choose the config directories, for a job of a sweep."""
        chosen = ("--config-path", "--config-name", "--config-dir")
        return Arguments([], {name: value for name, value in self.flags.items() if name in chosen}).argv()

    @property
    def shows(self) -> bool:
        """They ask Hydra to show something, not to do it."""
        return not self.flags.keys().isdisjoint({"--help", "--hydra-help", "--cfg", "--info"})


def parse(argv: Sequence[str]) -> Arguments:
    """Sort arguments into overrides and flags, wherever each stands.

    Raises:
        UserError: a flag that is unknown or lacks its value, or flags that exclude each other.
    """
    overrides: list[str] = []
    flags: dict[str, str | None] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            overrides += rest
            break
        if not word.startswith("-") or word == "-":
            head, equals, value = word.partition("=")
            overrides.append(_GROUPS.get(head, head) + equals + value)
            continue
        name, value = _flag(word)
        if name in _VALUED and value is None:
            if not rest:
                raise UserError(f"{word}: its value is missing; write {word} {_VALUED[name]}")
            value = rest.pop(0)
        elif name == "--info" and value is None:
            value = rest.pop(0) if rest and rest[0] in _INFO else "all"
        elif name in _PLAIN and value is not None:
            raise UserError(f"{word}: {name} takes no value")
        flags[name] = value
    _check_flags(flags)
    return Arguments(overrides, flags)


def _flag(word: str) -> tuple[str, str | None]:
    head, equals, value = word.partition("=")
    name = _SHORT.get(head, head)
    close = [n for n in _NAMES if name == n] or [n for n in _NAMES if n.startswith(head) and head.startswith("--")]
    if len(close) != 1:
        raise UserError(f"{word}: no such flag{did_you_mean(head, _NAMES)} (`--help` lists what there is)")
    return close[0], (value if equals else None)


def _check_flags(flags: dict[str, str | None]) -> None:
    for name, known in (("--cfg", _CFG), ("--info", _INFO)):
        if name in flags and flags[name] not in known:
            raise UserError(f"{name} {flags[name]}: must be one of {', '.join(known)}")
    modes = [n for n in ("--run", "--multirun", "--cfg", "--info", "--shell-completion") if n in flags]
    if len(modes) > 1:
        raise UserError(f"{' '.join(modes)}: these exclude each other; give one")
    if "--resolve" in flags and not {"--cfg", "--help"} & flags.keys():
        raise UserError("--resolve: goes with --cfg job or --help alone")


def key_of(override: str) -> str:
    """Return an override's key, without the marks before it."""
    return override.lstrip("+~").partition("=")[0]


def split_positional(words: Sequence[str], keys: Sequence[str]) -> tuple[str | None, list[str]]:
    """Separate the bare argument from the overrides.

    Args:
        words: what is not a flag.
        keys: the command's top-level keys; `key=...` of another name may be a path with an equals sign.

    Returns:
        the bare argument, or None, and the other words in order.
    """
    candidates = [w for w in words if not _is_override(w, keys)]
    existing = [w for w in candidates if Path(w).exists()]
    bare = [w for w in candidates if "=" not in w or not _KEY.match(w) or "/" in w.partition("=")[0]]
    chosen, others = next(iter(existing or bare), None), list(words)
    if chosen is not None:
        others.remove(chosen)
    return chosen, others


def _is_override(word: str, keys: Sequence[str]) -> bool:
    found = _KEY.match(word)
    if found is None:
        return word.startswith("~") and word[1:] in keys
    return found.group(1) in (*keys, "hydra")


def quoted_override(key: str, text: str) -> str:
    """Return `key='text'` in Hydra's grammar, whatever the text holds."""
    return f"{key}={quoted(text)}"


def quoted(text: str) -> str:
    r"""Return a text between quotes in Hydra's grammar; `${` is text too, not an interpolation."""
    from hydra.core.override_parser.types import Quote, QuotedString

    literal = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    return QuotedString(literal, Quote.single).with_quotes()
