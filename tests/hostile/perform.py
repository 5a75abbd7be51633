"""Calls a command's function as `gan` does, with what it composes to kept: composing takes most of the time."""

from __future__ import annotations

import copy
import functools
import importlib
from typing import Any

import yaml

from gan_cli.config.compose import Composer
from gan_cli.config.tree import conf_dir
from gan_cli.config.validate import check_settings, validate


def perform(command: str, run: str, *overrides: str) -> None:
    """Run `gan COMMAND RUN key=value ...`; errors are raised."""
    settings = copy.deepcopy(_defaults(command)) | {"run": run}
    for override in overrides:
        key, _, value = override.partition("=")
        *groups, name = key.split(".")
        functools.reduce(lambda inner, group: inner[group], groups, settings)[name] = yaml.safe_load(value)
    settings = check_settings(command, settings, settings["allow_targets"])
    getattr(importlib.import_module(f"gan_cli.commands.{command}"), command)(settings)


@functools.cache
def _defaults(command: str) -> dict[str, Any]:
    composer = Composer.create(command, conf_dir(), command, None)
    return validate(composer.compose(["run=x"]), ["run=x"], command)
