"""The arguments of commands that are called as functions; without composing, which would take most of the time."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

from gan_cli.config.arguments import CommandLine, parse
from gan_cli.config.compose import Composer
from gan_cli.config.schema import Config
from gan_cli.config.validate import check, validate
from tests.conftest import CONF


def composed(command: str, *words: str) -> Config:
    """Return the config that `gan COMMAND WORDS` passes to the command's function."""
    arguments = parse(words)
    return validate(command, Composer.of(command, arguments).compose(arguments.overrides), arguments.overrides)


def arguments_for(command: str, run: str, *words: str) -> tuple[Config, CommandLine]:
    """Return a command's config and the options that it chooses, as `gan COMMAND RUN WORDS` has them."""
    config = yaml.safe_load((CONF / f"{command}.yaml").read_text()) | {"run": run}
    del config["hydra"]
    chosen = {}
    for entry in config.pop("defaults"):
        chosen |= {group: option for group, option in entry.items() if " " not in group} if entry != "_self_" else {}
    given = dict(word.split("=", 1) for word in words)
    chosen |= {group: given.pop(group) for group in [*given] if group in chosen}
    config |= {group: yaml.safe_load(Path(CONF / group / f"{name}.yaml").read_text()) for group, name in chosen.items()}
    for key, text in given.items():
        *parents, name = key.split(".")
        functools.reduce(dict.__getitem__, parents, config)[name] = yaml.safe_load(text)
    return check(command, config), CommandLine(list(words), chosen)
