"""Composes a command's config with Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig

from gan_cli.config import foreign
from gan_cli.config.arguments import Arguments, key_of, quoted
from gan_cli.config.explain import explain, unreadable
from gan_cli.config.tree import conf_dir, options
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError

VERSION_BASE = "1.3"
_SEARCH_PATH = "hydra.searchpath"
_SEVERAL = "experiment"  # the group whose options may be chosen together


class Composer(NamedTuple):
    """A command's config tree: the package's, and a directory of the user's."""

    command: str  # whose config is composed
    conf: Path  # the directory of the primary config
    name: str  # the primary config
    user_dir: Path | None = None  # a further directory (`--config-dir`); None: there is none

    @classmethod
    def of(cls, command: str, arguments: Arguments) -> Composer:
        """Return the composer that a command line asks for; its files are checked before Hydra reads them.

        Raises:
            UserError: a directory that is not there, or files in it that no config needs.
        """
        flags = arguments.flags
        places = {
            flag: Path(given).absolute() for flag in ("--config-path", "--config-dir") if (given := flags.get(flag))
        }
        for flag, path in places.items():
            if not path.is_dir():
                raise UserError(f"{flag} {flags[flag]}: no such directory")
        name = (flags.get("--config-name") or command).removesuffix(".yaml")
        composer = cls(command, places.get("--config-path", conf_dir()), name, places.get("--config-dir"))
        for path in composer.foreign:
            foreign.check_files(path)
            foreign.refuse_search_path(path / f"{name}.yaml")
        return composer

    @property
    def foreign(self) -> list[Path]:
        """The directories outside the package."""
        return [path for path in self._directories if path != conf_dir()]

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return the composed config with its `hydra` block.

        Args:
            overrides: as on the command line, without sweeps.

        Raises:
            UserError: what cannot be composed, in one line.
        """
        try:
            cfg = self._composed(overrides)
        except Exception as error:  # Hydra, working on the user's input: whatever it raises is about that
            raise explain(error, overrides, self) from error
        for name in ("launcher", "sweeper"):
            if not isinstance(cfg.hydra[name], DictConfig):
                raise UserError(
                    f"hydra.{name}={show(cfg.hydra[name])}: Hydra needs one, such as hydra/{name}=basic; leave it out"
                )
        if self.foreign:
            foreign.check_hydra(cfg, lambda chosen: self._references(overrides, chosen))
        return cfg

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Return the overrides as Hydra reads them.

        Raises:
            UserError: one that cannot be read.
        """
        if not overrides:
            return []
        with self._hydra():
            try:
                parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides([*overrides])
            except OverrideParseException as error:
                raise unreadable(error.override) from error
            except HydraException as error:
                raise UserError(f"the overrides cannot be read: {one_line(error)}") from error
        for override in parsed:
            group, value = override.key_or_group, override.value()
            known = self.options(group) if override.package is None else []
            if known and isinstance(value, list) and group != _SEVERAL:
                raise UserError(
                    f"{override.input_line}: {group} takes one option; a sweep takes several: -m, no brackets"
                )
            is_one = not override.is_delete() and not override.is_sweep_override()
            if known and is_one and not isinstance(value, (str, list)):
                raise UserError(f"{override.input_line}: must be one of {', '.join(known)}")
        return parsed

    def options(self, group: str) -> list[str]:
        """Return the options of a group; [] for what is not a group."""
        return options(group, *self._directories)

    @property
    def _directories(self) -> list[Path]:
        return [self.conf, *([self.user_dir] if self.user_dir else [])]

    def _hydra(self) -> AbstractContextManager[None]:
        return initialize_config_dir(str(self._places[0]), job_name=self.command, version_base=VERSION_BASE)

    def forced(self, override: str, overrides: Sequence[str]) -> DictConfig:
        """Return the config with an override of a key that is not there, for what its check says about it.

        Raises:
            Exception: Hydra's, about another override.
        """
        return self._composed([o if o != override else f"++{o}" for o in overrides])

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        further = [f"file://{path}" for path in self._places[1:]]
        if further:  # of two search paths Hydra takes the first
            given = next((o for o in overrides if key_of(o) == _SEARCH_PATH), f"{_SEARCH_PATH}=[]")
            paths = OverridesParser.create().parse_override(given).value()
            further += map(str, paths if isinstance(paths, list) else [paths])
            overrides = [f"{_SEARCH_PATH}=[{','.join(map(quoted, further))}]", *overrides]
        with self._hydra():
            return compose(self.name, list(overrides), return_hydra_config=True)

    @property
    def _places(self) -> list[Path]:
        """The directories of configs; Hydra reads the primary config from the first one alone."""
        return self._directories if (self.conf / f"{self.name}.yaml").is_file() else self._directories[::-1]

    def _references(self, overrides: Sequence[str], chosen: Sequence[str]) -> Iterator[DictConfig]:
        """Compose the package alone, then Hydra alone, with what the command line and `chosen` say of Hydra."""
        words = [o for o in overrides if re.match(r"[+~]*hydra[./]", o)]
        words += [o for o in chosen if o.partition("=")[0] not in {w.partition("=")[0] for w in words}]
        try:
            with initialize_config_dir(str(conf_dir()), job_name=self.command, version_base=VERSION_BASE):
                yield compose(self.command, words, return_hydra_config=True)
        except HydraException as error:
            raise UserError(f"{' '.join(chosen)}: not installed plugins of Hydra; a config may choose those") from error
        with suppress(HydraException), initialize(None, job_name=self.command, version_base=VERSION_BASE):
            yield compose(None, words, return_hydra_config=True)


def choices(cfg: DictConfig, found: DictConfig | None = None) -> dict[str, str]:
    """Return the option chosen of each group.

    Args:
        cfg: composed, with its `hydra` block.
        found: the choices that Hydra itself knows in a job of its own; None: those in the block.
    """
    found = cfg.hydra.runtime.choices if found is None else found
    return {group: name for group, name in found.items() if name is not None and not group.startswith("hydra/")}
