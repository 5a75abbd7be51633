"""Hydra's errors as one line: what was wrong, the value, and the override that fixes it."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.arguments import key_of, quoted_override
from gan_cli.config.hints import Composer, Hints
from gan_cli.config.identity import is_free, not_free
from gan_cli.config.tree import conf_dir, options
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


def explained(error: Exception, composer: Composer, overrides: Sequence[str]) -> UserError:
    """Return an error of Hydra's as one about the command line or the config, with what may be meant.

    Args:
        error: raised while `overrides` were parsed or composed.
        composer: of the command.
        overrides: of the command line.
    """
    if isinstance(error, UserError):
        return error
    if override := next((o for o in overrides if key_of(o) == _unknown_key(error)), None):
        return _unknown(override, composer, [o for o in overrides if o != override])
    if isinstance(error, OverrideParseException):
        word, hint = error.override, ""
        if "=" not in word:
            place = overrides.index(word)
            others = [o for i, o in enumerate(overrides) if i != place and "=" in o]
            hint = Hints(composer, others).of_word(word, next(iter(overrides[place + 1 :]), ""))
        return _unreadable(word, hint)
    if isinstance(error, MissingConfigException):
        group, _, name = str(error.missing_cfg_file or "").rpartition("/")
        others = [o for o in overrides if key_of(o) != group]
        return _no_option(error, overrides, Hints(composer, others).of_option(group, name) if group else "")
    causes = [str(error), str(error.__cause__ or "")]
    text = one_line(" ".join(causes).partition("Config search path")[0]) or type(error).__name__
    return UserError(f"the config cannot be composed: {text}")


def _unknown_key(error: Exception) -> str | None:
    """Return the key that Hydra says a config does not have; None for any other error."""
    is_unknown = isinstance(error, ConfigCompositionException) and "Could not override" in str(error)
    return _quoted(error) if is_unknown and "@" not in _quoted(error) else None


def _unknown(override: str, composer: Composer, others: Sequence[str]) -> UserError:
    """Explain a key that the config does not have."""
    key, command = key_of(override), composer.command
    if command == "resume" and (options(key, conf_dir()) or (not is_free(key) and _is_of_train(key, composer))):
        return not_free(override, others)
    if composer.options(key):
        return UserError(f"{override}: gan {command} has no {key} to choose")
    hints = Hints(composer, others)
    if OmegaConf.select(hints.config, "sweep.search", default="") is None and key.startswith("sweep.search."):
        return UserError(f"{override}: is for a search; add sweep=optuna, and -m")
    hint = hints.of_key(override)
    part = OmegaConf.select(hints.config, key.rpartition(".")[0]) if "." in key else None
    if not hint and isinstance(part, DictConfig) and "_target_" in part and not override.startswith("+"):
        hint = f"; if its class takes it, write {shell_word(f'+{override}')}"
    return UserError(f"{override}: no such key{hint or f'; see `gan {command} --help`'}")


def _is_of_train(key: str, composer: Composer) -> bool:
    """Return whether `gan train` knows a key, with the options that are chosen there or with others."""
    train = composer._replace(command="train", conf=conf_dir(), name="train", user_dir=None)
    return Hints(train, []).is_known(key)


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
