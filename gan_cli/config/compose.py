"""Composes configs as Hydra will, and tells what is wrong with them in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hydra.version
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.identity import is_free, not_free
from gan_cli.config.tree import conf_dir
from gan_cli.core.text import did_you_mean, one_line
from gan_cli.errors import UserError

VERSION_BASE = "1.3"
_HYDRA_CODE = ("hydra.", "hydra_plugins.", "logging.", "colorlog.", "ext://sys.std")
_NAMES_CODE = ("_target_", "class", "()", "factory")
_LAUNCHERS = ("joblib", "submitit", "ray")  # our extras that bring them
_SEVERAL = "experiment"  # the group whose options may be chosen together
_MANY = 12  # options: more are not listed in one line


class Composer(NamedTuple):
    """A command's config tree: the package's, and the user's before it.

    Attributes:
        command: whose settings are composed.
        loader: Hydra's.
        config_name: the primary config.
        foreign: files outside the package take part.
        own_tree: they take the place of the package's, so what Hydra itself has by default is theirs too.
    """

    command: str
    loader: ConfigLoaderImpl
    config_name: str
    foreign: bool = False
    own_tree: bool = False

    @classmethod
    def create(cls, command: str, conf: Path, config_name: str, user_dir: str | None) -> Composer:
        """Open the tree.

        Raises:
            UserError: `--config-dir` names no directory.
        """
        hydra.version.setbase(VERSION_BASE)
        setup_globals()
        JobRuntime.instance().set("name", command)
        search_path = create_config_search_path(str(conf))
        foreign = [] if conf == conf_dir() else [str(conf)]
        if user_dir is not None:
            path = Path(user_dir).absolute()
            if not path.is_dir():
                raise UserError(f"--config-dir {user_dir}: no such directory")
            search_path.prepend("command-line", f"file://{path}", anchor=SearchPathQuery(provider="schema"))
            foreign.append(str(path))
        loader = ConfigLoaderImpl(search_path)
        if foreign:
            from gan_cli.config.foreign import check_files, refuse_search_path

            check_files(loader, foreign)
            refuse_search_path(loader, config_name)
        return cls(command, loader, config_name, bool(foreign), conf != conf_dir())

    def compose(self, overrides: Sequence[str], sweep: bool = False) -> DictConfig:
        """Return the composed config, `hydra` block included, unchecked but for that block.

        Args:
            overrides: as on the command line.
            sweep: values may be sweeps; those of a sweep are composed without them.

        Raises:
            UserError: what cannot be composed, in one line.
        """
        try:
            cfg = self._load(overrides, sweep)
        except UserError:
            raise
        except Exception as error:  # Hydra working on the user's input: whatever it raises is about that
            raise self._explain(error, overrides) from error
        _check_hydra_block(cfg)
        if self.foreign:
            from gan_cli.config.foreign import check_hydra

            check_hydra(cfg, lambda chosen: self._references(overrides, chosen, sweep))
        return cfg

    def _references(self, overrides: Sequence[str], chosen: Sequence[str], sweep: bool) -> Iterator[DictConfig]:
        """Compose the package alone, or Hydra alone beside it, with what the command line and `chosen` say of Hydra."""
        words = [o for o in overrides if re.match(r"[+~]*hydra[./]", o)]
        words += [o for o in chosen if _key(o) not in map(_key, words)]
        for directory, name in ((str(conf_dir()), self.command), *([(None, None)] if self.own_tree else [])):
            try:
                yield ConfigLoaderImpl(create_config_search_path(directory)).load_configuration(
                    name, words, RunMode.MULTIRUN if sweep else RunMode.RUN, validate_sweep_overrides=True
                )
            except MissingConfigException as error:
                raise UserError(
                    f"{' '.join(chosen)}: not installed plugins of Hydra; a config may choose those"
                ) from error
            except Exception:  # Hydra alone lacks what a word on the command line adds to
                continue

    def _load(self, overrides: Sequence[str], sweep: bool = False) -> DictConfig:
        mode = RunMode.MULTIRUN if sweep else RunMode.RUN
        return self.loader.load_configuration(self.config_name, list(overrides), mode, validate_sweep_overrides=True)

    def check(self, overrides: Sequence[str]) -> None:
        """Check those overrides that need no composition: quick, and so are the answers to most mistakes.

        Raises:
            UserError: a key that no option could set, or a value of a wrong type or range.
        """
        if self.command == "resume":
            self._refuse_identity(overrides)
        for text in overrides:
            _, _, value = text.partition("=")
            if value.lstrip().startswith("[") and _key(text) != _SEVERAL and self.options(_key(text)):
                raise UserError(f"{text}: {_key(text)} takes one option; a sweep takes several: -m, and no brackets")
        values = [
            o
            for o in overrides
            if not o.startswith("~") and _key(o).split(".")[0] != "hydra" and not self.options(_key(o))
        ]
        for text in values:
            from gan_cli.config.validate import (
                check_override,  # where there is something to check: pydantic takes its time
            )

            try:
                override = OverridesParser.create().parse_override(text)
            except (HydraException, ValueError, RecursionError):
                continue  # told when all of them are composed
            if override.package is None and "/" not in override.key_or_group and not override.is_sweep_override():
                check_override(self.command, override.key_or_group, override.value())

    def _refuse_identity(self, overrides: Sequence[str]) -> None:
        """Refuse what `gan train` takes and a run that is continued does not."""
        from gan_cli.config.schema import Settings, Train

        for text in overrides:
            key = _key(text)
            first, _, rest = key.partition(".")
            known = rest in Train.model_fields if first == "train" else first in Settings.model_fields
            whole = key in ("train", "dataset")  # several keys at once, as {path: x}; checked one by one later
            if self.options(key) or (known and not is_free(key) and not whole):
                raise not_free(text)

    def options(self, group: str) -> list[str]:
        """Return a group's options; [] for what is not a group."""
        return self.loader.repository.get_group_options(group)  # the loader's own way copies its whole repository

    def _explain(self, error: Exception, overrides: Sequence[str]) -> UserError:
        if isinstance(error, OverrideParseException):
            return _unreadable(error.override)
        if isinstance(error, MissingConfigException):
            return self._no_option(error, overrides)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            mark = error.problem_mark
            return UserError(f"{mark.name}, line {mark.line + 1}: not valid YAML: {one_line(error.problem)}")
        text = str(error)
        culprit = _quoted(text)
        override = next((o for o in overrides if _key(o) == culprit or o == culprit), None)
        if isinstance(error, ConfigCompositionException) and override is not None:
            if "Could not override" in text and "@" in override:
                return UserError(f"{override}: there is no {culprit} in the defaults list")
            if "Could not override" in text:
                return self._unknown_key(override, overrides)
            if "Ambiguous value" in text or "requires --multirun" in text:
                listed = "" if self.options(_key(override)) else f", or write a list as {_key(override)}=[...]"
                return UserError(f"{override}: several values are a sweep; add -m{listed}")
            if "Could not append" in text:
                return UserError(f"{override}: {culprit} is there already; write {override.lstrip('+')}")
        if "Config group override must be" in text:
            return self._not_an_option(overrides) or UserError(f"the config cannot be composed: {_reason(error)}")
        return UserError(f"the config cannot be composed: {_reason(error)}")

    def _not_an_option(self, overrides: Sequence[str]) -> UserError | None:
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            options = self.options(override.key_or_group)
            if options and not isinstance(override.value(), (str, list)):
                return UserError(f"{override.input_line}: must be one of {', '.join(options)}")
        return None

    def _no_option(self, error: MissingConfigException, overrides: Sequence[str]) -> UserError:
        group, _, name = str(error.missing_cfg_file or "").rpartition("/")
        if not group and name == self.config_name:
            known = self.loader.get_group_options("")
            return UserError(f"--config-name {name}: no such config{did_you_mean(name, known)}")
        options = list(error.options or [])
        extra = name.partition("_")[0]
        if group == "hydra/launcher" and extra in _LAUNCHERS:
            return UserError(f'{group}={name}: is not installed here; pip install "gan_cli[{extra}]"')
        hint = did_you_mean(name, options, f"{group}=") or ";"
        given = any(o.lstrip("+") == f"{group}={name}" for o in overrides)
        if not group:
            return UserError(f"in {_quoted(str(error))}.yaml: the default {name} is not there")
        where = "" if given else "chosen by a config, "
        known = f"options of {group}: {', '.join(options) or 'none'}"
        if len(options) > _MANY:
            known = f"`gan list {group}` tells the {len(options)} there are"
        return UserError(f"{where}{group}={name}: no such option{hint} {known}")

    def _unknown_key(self, override: str, overrides: Sequence[str]) -> UserError:
        from gan_cli.config.validate import validate

        if self.options(_key(override)):
            return UserError(f"{override}: gan {self.command} has no {_key(override)} to choose")
        if _key(override).startswith("sweep.search."):
            return UserError(f"{override}: is about a search; add sweep=optuna, and -m")
        forced = [o if o != override else f"++{o}" for o in overrides]
        try:
            self.check(overrides)
            validate(self._load(forced), forced, self.command)
        except UserError as error:
            return error
        except Exception as error:  # Hydra again, about another override
            return self._explain(error, forced)
        owner = "Hydra" if _key(override).startswith("hydra") else "this option"
        return UserError(f"{override}: {owner} does not set {_key(override)}; add it with +{override}")


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _quoted(text: str) -> str:
    """The first text between quotes in a message of Hydra's."""
    return text.partition("'")[2].partition("'")[0]


def _unreadable(override: str) -> UserError:
    key, equals, value = override.partition("=")
    if not equals:
        return UserError(f"{override}: not key=value; write {key}=VALUE")
    return UserError(
        f"{override}: the value cannot be read; quote one with special characters, as in \"{key}='{value}'\""
    )


def _reason(error: BaseException) -> str:
    told = [str(error), *([str(error.__cause__)] if error.__cause__ is not None else [])]
    text = one_line(" ".join(t for t in told if t).partition("Config search path")[0])
    return text or type(error).__name__


def _check_hydra_block(cfg: DictConfig) -> None:
    """Refuse code named in the `hydra` block that is not Hydra's: callbacks and log handlers run in this process."""
    block = OmegaConf.to_container(cfg.hydra, resolve=False)
    if not isinstance(block, dict):
        return
    for name in ("launcher", "sweeper"):
        if not isinstance(block.get(name), dict):
            raise UserError(
                f"hydra.{name}={block.get(name)}: Hydra needs one, such as hydra/{name}=basic; leave it out"
            )
    for name in ("callbacks", "job_logging", "hydra_logging", "launcher", "sweeper"):
        for key, value in _code_names(block.get(name), f"hydra.{name}"):
            if not value.startswith(_HYDRA_CODE):
                raise UserError(f"{key}={one_line(value)}: only Hydra's own code may be named here; remove it")


def _code_names(value: Any, key: str) -> list[tuple[str, str]]:
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        if isinstance(inner, str) and (name in _NAMES_CODE or inner.startswith("ext://")):
            found.append((f"{key}.{name}", inner))
        found += _code_names(inner, f"{key}.{name}")
    return found
