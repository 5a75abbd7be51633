"""Sorts command-line arguments into overrides, flags and the bare argument (`gan resume RUN`)."""

from __future__ import annotations

import argparse
import functools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from gan_cli.config.tree import chosen_groups, top_keys
from gan_cli.errors import UserError

BASE = "--from"  # a run whose settings a new one begins with
_PLACES = ("--config-path", "--config-name", "--config-dir")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
SECOND = {"dataset_b": "dataset@dataset_b"}  # a second choice of a group, as Hydra names it


class Arguments(NamedTuple):
    """A command's arguments."""

    overrides: list[str]  # everything that is not a flag, in order
    flags: dict[str, str | None]  # long name -> value, None where it has none

    def argv(self) -> list[str]:
        """Return them as Hydra's parser wants them: overrides, then flags."""
        return self.overrides + self._written({name: value for name, value in self.flags.items() if name != BASE})

    def places(self) -> list[str]:
        """Return those flags that say where configs come from, for a job of a sweep."""
        return self._written({name: value for name, value in self.flags.items() if name in (BASE, *_PLACES)})

    @staticmethod
    def _written(flags: Mapping[str, str | None]) -> list[str]:
        return [part for name, value in flags.items() for part in ((name,) if value is None else (name, value))]


class CommandLine(NamedTuple):
    """What a command gets beside its config."""

    overrides: list[str]  # as they were typed
    choices: dict[str, str]  # the option chosen of each group
    base: str | None = None  # the run whose settings it begins with, as an absolute path
    config_dir: str | None = None  # a further directory of configs


def as_groups(overrides: Sequence[str]) -> list[str]:
    """Return overrides with `dataset_b=OPTION` as Hydra names the choice."""
    return [SECOND.get(head, head) + equals + value for head, equals, value in (o.partition("=") for o in overrides)]


def parse(argv: Sequence[str], command: str = "COMMAND") -> Arguments:
    """Sort arguments into overrides and flags, wherever each stands.

    Args:
        argv: what follows the command on the command line.
        command: its name, for errors.

    Raises:
        UserError: a flag that is unknown or lacks its value, or flags that exclude each other.
    """
    words = [  # `--info` may stand without its value, before an override
        f"{word}=all" if word in ("-i", "--info") and following not in _INFO else word
        for word, following in zip(argv, [*argv, ""][1:], strict=True)
    ]
    flags = vars(_parser(command).parse_intermixed_args(words))
    overrides = as_groups(flags.pop("overrides"))
    if "--resolve" in flags and not {"--cfg", "--help"} & flags.keys():
        raise UserError("--resolve: goes with --cfg job or --help alone")
    return Arguments(overrides, flags)


class Parser(argparse.ArgumentParser):
    """An `argparse` parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as an error in one line.

        Raises:
            UserError: always.
        """
        raise UserError(f"{message} (see `{self.prog} --help`)")


def whole(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers of at least `least`, for `add_argument(type=...)`."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: must be a whole number of at least {least}")
        return int(text)

    return read


@functools.cache
def _parser(command: str = "COMMAND") -> argparse.ArgumentParser:
    """Return a parser of Hydra's flags."""
    parser = Parser(prog=f"gan {command}", add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", default=[])
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--cfg", "-c", dest="--cfg", choices=("job", "hydra", "all"))
    modes.add_argument("--info", "-i", dest="--info", choices=_INFO)
    for owner, *names in ((modes, "--run", "-r"), (modes, "--multirun", "-m"), (parser, "--help", "-h")):
        owner.add_argument(*names, dest=names[0], action="store_const", const=None)
    for name in ("--hydra-help", "--resolve"):
        parser.add_argument(name, dest=name, action="store_const", const=None)
    for name, short in (("--package", "-p"), *zip(_PLACES, ("-cp", "-cn", "-cd"), strict=True)):
        parser.add_argument(name, short, dest=name)
    parser.add_argument(BASE, dest=BASE)
    return parser


def flags() -> list[str]:
    """Return all flags, long and short."""
    return list(_parser()._option_string_actions)


def flags_of(command: str) -> list[str]:
    """Return the long flags that a command takes, sorted."""
    known = (flag for flag in _parser()._option_string_actions if flag.startswith("--"))
    return sorted(flag for flag in known if flag != BASE or command == "train")


def key_of(override: str) -> str:
    """Return an override's key, without the marks before it."""
    return override.lstrip("+~").partition("=")[0]


def split_positional(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Separate the bare argument from the overrides: a path may hold an equals sign too.

    Returns:
        the bare argument, or None, and the other words in order.
    """
    chosen = next((word for word in words if not _is_override(word)), None)
    others = list(words)
    if chosen is not None:
        others.remove(chosen)
    return chosen, others


def _is_override(word: str) -> bool:
    key, equals, _ = word.partition("=")
    is_path = os.path.exists(word) or ("/" in key and not key.lstrip("+~").startswith("hydra/"))
    return not is_path and (bool(equals) or word.startswith("~"))


def study_words(words: Sequence[str], primary: Path) -> list[str]:
    """Return the overrides of `gan study NAME seed=0,1,2 KEY=VALUE`: the bare word chooses the study, seeds are a list.

    Args:
        words: as typed.
        primary: the command's config; overrides of keys that it does not have are for the study's runs.
    """
    chosen, others = split_positional(words)
    known = {"hydra", *top_keys(primary), *chosen_groups(primary)}
    found, of_runs = [] if chosen is None else [f"study={chosen}"], []
    for word in others:
        key, _, value = word.partition("=")
        if re.split("[./@]", key_of(word))[0] not in known:
            of_runs.append(word)
        else:
            found.append(f"seed=[{value}]" if key == "seed" and "," in value and value[0] != "[" else word)
    return [*found, *([f"overrides=[{','.join(map(quoted, of_runs))}]"] if of_runs else [])]


def quoted_override(key: str, text: str) -> str:
    """Return `key='text'` in Hydra's grammar, whatever the text holds."""
    return f"{key}={quoted(text)}"


def override_of(key: str, text: str) -> str:
    """Return `key=text` in Hydra's grammar, with quotes only where it needs them."""
    plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./+-]*", text) and text.casefold() not in ("null", "true", "false")
    return f"{key}={text}" if plain else quoted_override(key, text)


def quoted(text: str) -> str:
    r"""Return a text between quotes in Hydra's grammar; `${` is text too, not an interpolation."""
    from hydra.core.override_parser.types import Quote, QuotedString

    literal = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    return QuotedString(literal, Quote.single).with_quotes()
