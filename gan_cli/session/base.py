"""Begins a command line with the settings of a run: `gan train --from RUN`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from gan_cli.config import parts
from gan_cli.config.arguments import BASE, Arguments
from gan_cli.config.base import Base
from gan_cli.config.compose import Composer
from gan_cli.config.identity import absolute
from gan_cli.config.schema import RunConfig
from gan_cli.config.targets import permitted
from gan_cli.config.tree import conf_dir, options
from gan_cli.config.validate import check, validate_saved
from gan_cli.errors import GanError, UserError
from gan_cli.runs import directory
from gan_cli.runs.finding import find_one
from gan_cli.session import build


def based(composer: Composer, arguments: Arguments) -> Composer:
    """Return a composer that begins with the settings of the run which `--from` names.

    A value that the run's options leave to a rule (`auto`) or take from another key (`${..lr}`), and that is what they
    would give in that run, is left to them again: so parts can be swapped, and optimizer.lr moves both players.

    Raises:
        UserError: another command than train, another primary config too, or no such run.
    """
    name = arguments.flags[BASE]
    if composer.command != "train":
        raise UserError(f"{BASE} {name}: gan {composer.command} trains no new run; gan train {BASE} {name} does")
    if other := next((flag for flag in ("--config-path", "--config-name") if flag in arguments.flags), None):
        raise UserError(f"{BASE} {name}: the settings are those of a run; leave out {other}")
    path = Path(absolute(find_one(str(name), f"{BASE} ")))
    saved = validate_saved(directory.read_config(path), permitted(arguments.overrides))
    known = directory.read_status(path).get("choices")
    choices = {str(group): str(option) for group, option in known.items()} if isinstance(known, dict) else {}
    return composer._replace(base=Base(path, _opened(saved, choices), choices))


def _opened(saved: RunConfig, choices: dict[str, str]) -> dict[str, Any]:
    """Return a run's settings, with the rules and references of its options where they give the run's values."""
    settings, full = saved.plain(), parts.with_defaults(saved).plain()
    chosen = {}
    for choice, name in choices.items():
        group, _, place = choice.partition("@")
        if isinstance(settings.get(key := place or group), dict):
            chosen[key] = _option(group, name, key)
            _complete(settings[key], full[key], chosen[key])
    opened = copy.deepcopy(settings)
    for key, option in chosen.items():
        _leave_to_option(opened[key], option)
    _restore(opened, _decided(opened, saved.allow_targets), settings)
    if choices.get("extractor") == "auto":
        opened["extractor"] = _option("extractor", "auto", "extractor")
    return opened


def _option(group: str, name: str, key: str) -> dict[str, Any]:
    """Return an option of the package as its file has it; {} where there is none."""
    if name not in options(group, conf_dir()):
        return {}
    content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
    return content.get(key, {}) if "defaults" in content or key in content else content


def _complete(block: dict[str, Any], full: dict[str, Any], option: dict[str, Any]) -> None:
    """Add the keys that an option got after the run was made, with the default that the run had."""
    for key, value in option.items():
        if isinstance(value, dict) and isinstance(block.get(key), dict):
            _complete(block[key], full[key], value)
        elif key in full:
            block.setdefault(key, full[key])


def _leave_to_option(block: dict[str, Any], option: dict[str, Any]) -> None:
    """Put every rule and reference of an option in the place of the value that a run has there."""
    for key, value in option.items():
        if isinstance(value, dict) and isinstance(block.get(key), dict):
            _leave_to_option(block[key], value)
        elif key in block and (value == "auto" or "${" in str(value)):
            block[key] = value


def _decided(opened: dict[str, Any], allow_targets: Sequence[str]) -> dict[str, Any]:
    """Return settings without references, and every `auto` as it is decided here, if what that needs is here."""
    settings = OmegaConf.to_container(OmegaConf.create(opened), resolve=True)
    try:
        plan = build.check(check("train", settings, allow_targets))
        config = plan.config
        if config.dataset.arguments.get("channels") == "auto":
            config = config.replace(dataset=config.dataset.replace(channels=plan.parts.dataset.expected_shape()[0]))
    except GanError:
        return settings
    return config.plain()


def _restore(block: dict[str, Any], found: dict[str, Any], saved: dict[str, Any]) -> None:
    """Give back the saved value where what was found in its place is another one."""
    for key, value in saved.items():
        if isinstance(value, dict):
            _restore(block[key], found[key], value)
        elif found[key] != value:
            block[key] = value
