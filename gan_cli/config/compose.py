"""Composes a command's config with Hydra."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

from gan_cli.config.arguments import Arguments, CommandLine, key_of, quoted
from gan_cli.config.base import Base
from gan_cli.config.hydra_errors import explained
from gan_cli.config.tree import conf_dir, options
from gan_cli.core.text import did_you_mean, show
from gan_cli.errors import UserError

VERSION_BASE = "1.3"
_SEARCH_PATH = "hydra.searchpath"
_SEVERAL = "experiment"  # the group whose options may be chosen together
_PLUGINS = ("hydra/launcher", "hydra/sweeper")


def hydra_main(conf: Path, name: str, argv: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    """Call Hydra's own main function on a command line; it may end by SystemExit."""
    import hydra

    saved, sys.argv = sys.argv, ["gan", *argv]
    try:
        hydra.main(config_path=str(conf), config_name=name, version_base=VERSION_BASE)(job)()
    finally:
        sys.argv = saved


class Composer(NamedTuple):
    """A command's config tree: the package's, and a directory of the user's."""

    command: str  # whose config is composed
    conf: Path  # the directory of the primary config
    name: str  # the primary config
    user_dir: Path | None = None  # a further directory (`--config-dir`); None: there is none
    base: Base | None = None  # settings in the place of the primary config's; None: its own

    @classmethod
    def of(cls, command: str, arguments: Arguments) -> Composer:
        """Return the composer that a command line asks for; its files are checked before Hydra reads them.

        Raises:
            UserError: a directory or a primary config that is not there, or files that no config needs.
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
        if not (composer.directories[0] / f"{name}.yaml").is_file():
            known = [path.stem for directory in composer.directories for path in directory.glob("*.yaml")]
            raise UserError(f"--config-name {name}: no such config{did_you_mean(name, known)}")
        if composer.foreign:
            from gan_cli.config.foreign import check_files

            for path in composer.foreign:
                check_files(path, name)
        return composer

    @property
    def directories(self) -> list[Path]:
        """The directories of configs; Hydra reads the primary config from the first one alone."""
        found = [self.conf, *([self.user_dir] if self.user_dir else [])]
        return found if (self.conf / f"{self.name}.yaml").is_file() else found[::-1]

    def primary(self) -> AbstractContextManager[str]:
        """Return the context in which Hydra finds what it is to compose; it gives the name of that."""
        return self.base.stored(self.directories[0] / f"{self.name}.yaml") if self.base else nullcontext(self.name)

    @property
    def foreign(self) -> list[Path]:
        """Those outside the package."""
        return [path for path in self.directories if path != conf_dir()]

    def options(self, group: str) -> list[str]:
        """Return the options of a group; [] for what is not a group."""
        return options(group, *self.directories)

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Return the overrides as Hydra reads them.

        Raises:
            UserError: one that cannot be read.
        """
        if not overrides:
            return []
        if not __debug__ and (broken := next((o for o in overrides if re.search(r"(?<!\$)[({]", o)), None)):
            raise UserError(f"{broken}: Hydra reads functions and mappings inside asserts; unset PYTHONOPTIMIZE")
        try:
            with self._hydra():
                parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides([*overrides])
        except HydraException as error:
            raise explained(error, self, overrides) from error
        for override in parsed:
            group, value = override.key_or_group, override.value()
            known = self.options(group) if override.package is None else []
            is_choice = isinstance(value, str) or (isinstance(value, list) and group == _SEVERAL)
            if known and not (is_choice or override.is_delete() or override.is_sweep_override()):
                raise UserError(
                    f"{override.input_line}: {group} takes one option (see `gan list {group}`); a sweep takes several: "
                    "-m, no brackets"
                )
        return parsed

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return the composed config with its `hydra` block.

        Args:
            overrides: as on the command line, without sweeps.

        Raises:
            UserError: what cannot be composed, in one line.
        """
        try:
            cfg = self.composed(overrides)
        except Exception as error:  # Hydra, working on the user's input: whatever it raises is about that
            raise explained(error, self, overrides) from error
        if self.foreign:
            self._check_hydra(cfg, overrides)
        for name in ("launcher", "sweeper"):
            if not isinstance(cfg.hydra[name], DictConfig):
                raise UserError(
                    f"hydra.{name}={show(cfg.hydra[name])}: Hydra needs one, such as hydra/{name}=basic; leave it out"
                )
        return cfg

    def _hydra(self) -> AbstractContextManager[None]:
        return initialize_config_dir(str(self.directories[0]), job_name=self.command, version_base=VERSION_BASE)

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """Return what `compose` does; an error of Hydra's is its own."""
        if not self.foreign:
            with self._hydra(), self.primary() as name:
                return compose(name, list(overrides), return_hydra_config=True)
        from gan_cli.config.foreign import no_environment

        given = next((o for o in overrides if key_of(o) == _SEARCH_PATH), f"{_SEARCH_PATH}=[]")
        further = OverridesParser.create().parse_override(given).value()
        further = map(str, further if isinstance(further, list) else [further])
        paths = [*(f"file://{path}" for path in self.directories[1:]), *further]
        search = f"{_SEARCH_PATH}=[{','.join(map(quoted, paths))}]"  # of two search paths Hydra takes the first
        with no_environment(), self._hydra(), self.primary() as name:
            return compose(name, [search, *overrides], return_hydra_config=True)

    def line(self, overrides: list[str], cfg: DictConfig, found: DictConfig | None = None) -> CommandLine:
        """Return what a command gets beside its config.

        Args:
            overrides: as they were typed.
            cfg: composed, with its `hydra` block.
            found: the choices that Hydra itself knows in a job of its own; None: those in the block.
        """
        found = cfg.hydra.runtime.choices if found is None else found
        choices = {group: name for group, name in found.items() if name is not None and not group.startswith("hydra/")}
        if self.base is None:
            return CommandLine(overrides, choices)
        return CommandLine(overrides, self.base.named(choices), str(self.base.run))

    def _check_hydra(self, cfg: DictConfig, overrides: Sequence[str]) -> None:
        """Refuse a `hydra` block that a config directory may not make."""
        from gan_cli.config.foreign import check_hydra

        words = {key_of(o): o for o in overrides if key_of(o).startswith(("hydra.", "hydra/"))}
        chosen = {group: cfg.hydra.runtime.choices.get(group) for group in _PLUGINS}
        words = {group: f"{group}={name}" for group, name in chosen.items() if name is not None} | words
        try:
            package = Composer(self.command, conf_dir(), self.command).composed([*words.values()])
        except HydraException as error:
            named = " ".join(words.values())
            raise UserError(
                f"{named}: a config may choose only installed plugins of Hydra, and these are not"
            ) from error
        check_hydra(cfg, package)
