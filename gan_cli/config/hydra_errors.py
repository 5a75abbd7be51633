"""Hydra's errors as one line: what was wrong, the value, and the override that fixes it."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException

from gan_cli.config.arguments import key_of, quoted_override
from gan_cli.core.extras import pip_install
from gan_cli.core.text import one_line, shell_word
from gan_cli.errors import UserError

_LAUNCHERS = ("joblib", "submitit", "ray")  # our extras that bring them
_EFFECTIVE = ("hydra.mode", "hydra.sweeper", "hydra.searchpath", "hydra.help", "hydra/launcher", "hydra/sweeper")
_MANY = 12  # options: more are not listed in one line


def refuse_without_effect(overrides: Sequence[str]) -> None:
    """Refuse keys of Hydra's own block that change nothing where gan starts the runs.

    Raises:
        UserError: the first one.
    """
    for override in overrides:
        key = key_of(override)
        if key.startswith(("hydra.", "hydra/")) and not key.startswith(_EFFECTIVE):
            raise UserError(f"{override}: has no effect, since gan itself makes the run's directory: run_dir=runs/NAME")


def explain(error: Exception, overrides: Sequence[str], hint: str = "") -> UserError:
    """Return an error of Hydra's as one about the command line or the config.

    Args:
        error: raised while `overrides` were parsed or composed.
        overrides: of the command line.
        hint: what may be meant, or ''.
    """
    if isinstance(error, UserError):
        return error
    if (word := unreadable(error)) is not None:
        return _unreadable(word, hint)
    if isinstance(error, MissingConfigException):
        return _no_option(error, overrides, hint)
    causes = [str(error), str(error.__cause__ or "")]
    text = one_line(" ".join(causes).partition("Config search path")[0]) or type(error).__name__
    return UserError(f"the config cannot be composed: {text}")


def unknown_key(error: Exception) -> str | None:
    """Return the key that Hydra says a config does not have; None for any other error."""
    is_unknown = isinstance(error, ConfigCompositionException) and "Could not override" in str(error)
    return _quoted(error) if is_unknown and "@" not in _quoted(error) else None


def unreadable(error: Exception) -> str | None:
    """Return the word that Hydra cannot read; None for any other error."""
    return error.override if isinstance(error, OverrideParseException) else None


def unknown_option(error: Exception) -> tuple[str, str] | None:
    """Return the group and the name of an option that is not there; None for any other error."""
    missing = str(error.missing_cfg_file or "") if isinstance(error, MissingConfigException) else ""
    group, _, name = missing.rpartition("/")
    return (group, name) if group else None


def _unreadable(override: str, hint: str) -> UserError:
    key, equals, value = override.partition("=")
    if not equals:
        return UserError(f"{override}: not key=value{hint or f'; write {key}=VALUE'}")
    if value[:1] in ("[", "{", "("):
        return UserError(f"{override}: the value cannot be read; quote texts in it that have special characters")
    value = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    good = shell_word(quoted_override(key, value))
    return UserError(f"{override}: the value cannot be read; quote one with special characters, as in {good}")


def _no_option(error: MissingConfigException, overrides: Sequence[str], hint: str) -> UserError:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    extra = name.partition("_")[0]
    if group == "hydra/launcher" and extra in _LAUNCHERS:
        return UserError(f"{group}={name}: is not installed here; {pip_install(extra)}")
    if not group:
        return UserError(f"in {_quoted(error)}.yaml: the default {name} is not there")
    found = list(error.options or [])
    known = f"options of {group}: {', '.join(found) or 'none'}"
    if len(found) > _MANY:
        known = f"see `gan list {group}` for all {len(found)} options"
    where = "" if any(o.lstrip("+") == f"{group}={name}" for o in overrides) else "chosen by a config, "
    return UserError(f"{where}{group}={name}: no such option{hint or ';'} {known}")


def _quoted(error: Exception) -> str:
    """The first text between quotes in a message of Hydra's."""
    return str(error).partition("'")[2].partition("'")[0]
