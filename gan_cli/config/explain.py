"""Hydra's errors as one line: what was wrong, the value, and the override that fixes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig

from gan_cli.config.arguments import key_of
from gan_cli.config.identity import is_free, not_free
from gan_cli.config.tree import options
from gan_cli.core.extras import pip_install
from gan_cli.core.text import did_you_mean, one_line
from gan_cli.errors import UserError

_LAUNCHERS = ("joblib", "submitit", "ray")  # our extras that bring them
_EFFECTIVE = ("hydra.mode", "hydra.sweeper", "hydra.searchpath", "hydra.help", "hydra/launcher", "hydra/sweeper")
_MANY = 12  # options: more are not listed in one line


class _Composer(Protocol):
    """What an explanation asks of `compose.Composer`."""

    command: str
    conf: Path
    name: str

    def options(self, group: str) -> list[str]: ...

    def forced(self, override: str, overrides: Sequence[str]) -> DictConfig: ...


def refuse_without_effect(overrides: Sequence[str]) -> None:
    """Refuse keys of Hydra's own block that change nothing where gan starts the runs.

    Raises:
        UserError: the first one.
    """
    for override in overrides:
        key = key_of(override)
        if key.startswith(("hydra.", "hydra/")) and not key.startswith(_EFFECTIVE):
            raise UserError(f"{override}: has no effect, since gan makes a run itself; run_dir is where a run goes")


def explain(error: Exception, overrides: Sequence[str], composer: _Composer) -> UserError:
    """Return an error of Hydra's as one about the command line or the config.

    Args:
        error: raised while `overrides` were composed.
        overrides: of the command line.
        composer: of the command.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    if isinstance(error, MissingConfigException):
        return _no_option(error, overrides, composer)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return UserError(f"{mark.name}, line {mark.line + 1}: not valid YAML: {one_line(error.problem)}")
    text = str(error)
    culprit = _quoted(text)
    override = next((o for o in overrides if key_of(o) == culprit or o == culprit), None)
    if isinstance(error, ConfigCompositionException) and override is not None:
        if "Could not override" in text and "@" in override:
            return UserError(f"{override}: there is no {culprit} in the defaults list")
        if "Could not override" in text:
            return _unknown_key(override, overrides, composer)
        if "Could not append" in text:
            return UserError(f"{override}: {culprit} is there already; write {override.lstrip('+')}")
    return UserError(f"the config cannot be composed: {_reason(error)}")


def unreadable(override: str) -> UserError:
    """Return the error for an override that is not of Hydra's grammar."""
    key, equals, value = override.partition("=")
    if not equals:
        return UserError(f"{override}: not key=value; write {key}=VALUE")
    return UserError(
        f"{override}: the value cannot be read; quote one with special characters, as in \"{key}='{value}'\""
    )


def _no_option(error: MissingConfigException, overrides: Sequence[str], composer: _Composer) -> UserError:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    if not group and name == composer.name:
        known = [path.stem for path in composer.conf.glob("*.y*ml")]
        return UserError(f"--config-name {name}: no such config{did_you_mean(name, known)}")
    found = list(error.options or [])
    extra = name.partition("_")[0]
    if group == "hydra/launcher" and extra in _LAUNCHERS:
        return UserError(f"{group}={name}: is not installed here; {pip_install(extra)}")
    if not group:
        return UserError(f"in {_quoted(str(error))}.yaml: the default {name} is not there")
    hint = did_you_mean(name, found, f"{group}=") or ";"
    given = any(o.lstrip("+") == f"{group}={name}" for o in overrides)
    where = "" if given else "chosen by a config, "
    known = f"options of {group}: {', '.join(found) or 'none'}"
    if len(found) > _MANY:
        known = f"see `gan list {group}` for all {len(found)} options"
    return UserError(f"{where}{group}={name}: no such option{hint} {known}")


def _unknown_key(override: str, overrides: Sequence[str], composer: _Composer) -> UserError:
    """Explain a key that the config does not have: what checks it says more than Hydra."""
    from gan_cli.config.schema import RunConfig, Train
    from gan_cli.config.validate import unknown, validate

    key, command = key_of(override), composer.command
    if command == "resume":
        first, _, rest = key.partition(".")
        known = rest in Train.model_fields if first == "train" else first in RunConfig.model_fields
        if options(key, composer.conf) or (known and not is_free(key)):
            return not_free(override)
    if composer.options(key):
        return UserError(f"{override}: gan {command} has no {key} to choose")
    if key.startswith("hydra"):
        return UserError(f"{override}: Hydra does not set {key}; add it with +{override}")
    if (error := unknown(command, key, override.partition("=")[2])) is not None:
        return error
    if key.startswith("sweep.search."):
        return UserError(f"{override}: is about a search; add sweep=optuna, and -m")
    forced = [o if o != override else f"++{o}" for o in overrides]
    try:
        validate(command, composer.forced(override, overrides), forced)
    except UserError as error:
        return error
    except Exception as error:  # Hydra again, about another override
        return explain(error, forced, composer)
    return UserError(f"{override}: this option does not set {key}; add it with +{override}")


def _quoted(text: str) -> str:
    """The first text between quotes in a message of Hydra's."""
    return text.partition("'")[2].partition("'")[0]


def _reason(error: BaseException) -> str:
    causes = [str(error), *([str(error.__cause__)] if error.__cause__ is not None else [])]
    text = one_line(" ".join(t for t in causes if t).partition("Config search path")[0])
    return text or type(error).__name__
