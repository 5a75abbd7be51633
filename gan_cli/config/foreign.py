"""What a config directory may not do: choose code or places of Hydra, read the environment, fill the memory.

A directory given with --config-dir or --config-path may come from a stranger. Its files are read through
`CheckedFiles`, and the `hydra` block that they compose to is held against the one of the package alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli.config.references import reason_against
from gan_cli.core import untrusted
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError

PLUGINS = ("hydra/launcher", "hydra/sweeper")  # groups of which it may choose an installed option
_OWN = re.compile(  # keys of the hydra block that every command line has its own of, or that are text, or are allowed
    r"hydra\.(runtime|overrides|help|hydra_help|mode|sweeper\.params|job\.(override_dirname|config_name))(\.|$)"
)
_PARAMETER = re.compile(r"\+{0,2}([A-Za-z_]\w*)[\w./]*")
_NOT_BY_A_SWEEP = ("hydra", "allow_targets", "run_dir", "out")
_RULE = (
    "a config directory may choose hydra/launcher and hydra/sweeper among the installed plugins, hydra.mode and "
    "hydra.sweeper.params, and nothing else of Hydra: remove it, or give it on the command line"
)


class CheckedFiles(FileConfigSource):
    """Config files as Hydra reads them, after a look at their size, their aliases and their interpolations."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Return one file's config.

        Raises:
            UserError: a file that is too large or asks for more than its own keys.
        """
        path = Path(self.path, self._normalize_file_name(config_path)).resolve()
        try:
            node = untrusted.compose_yaml(untrusted.read(path, untrusted.CONFIG_BYTES))
        except FileNotFoundError:
            node = None  # told by Hydra, as is what is not YAML
        except OSError as error:
            raise UserError(f"{path} {error.strerror}: not a config file") from error
        except ValueError as error:
            if not isinstance(error.__cause__, yaml.MarkedYAMLError):
                raise UserError(f"{path} holds {error}: not a config file") from error
            node = None
        for key, text in _texts(node) if node is not None else ():
            if reason := reason_against(text):
                raise UserError(f"{key}={show(text)}: {reason} (in {path})")
        return super().load_config(config_path)


def check_files(loader: ConfigLoaderImpl, directories: list[str]) -> None:
    """Let a loader read the files of these directories through `CheckedFiles`."""
    repository = loader.repository
    repository.sources = [
        CheckedFiles(s.provider, s.path) if isinstance(s, FileConfigSource) and s.path in directories else s
        for s in repository.sources
    ]


def refuse_search_path(loader: ConfigLoaderImpl, config_name: str) -> None:
    """Refuse a primary config that has Hydra search elsewhere: a `pkg://` there would be imported to be searched.

    Raises:
        UserError: it does.
    """
    try:
        found = loader.repository.load_config(config_name)
        path = OmegaConf.select(found.config, "hydra.searchpath") if found is not None else None
    except (OmegaConfBaseException, HydraException, yaml.YAMLError, OSError, ValueError):
        return  # told when it is composed, before the path is looked at
    if path is not None:
        raise UserError(f"hydra.searchpath={show(str(path))}: {_RULE}")


def check_hydra(cfg: DictConfig, references: Callable[[list[str]], Iterator[DictConfig]]) -> None:
    """Refuse a composed config whose `hydra` block is not the package's or Hydra's own, but for what `_RULE` allows.

    Args:
        cfg: composed with the directory's files.
        references: given overrides, what the package alone and Hydra alone compose to with those on the command line.

    Raises:
        UserError: the first key that differs.
    """
    for name in cfg.hydra.sweeper.get("params") or {}:
        match = _PARAMETER.fullmatch(str(name))
        if match is None or match[1] in _NOT_BY_A_SWEEP:
            raise UserError(f"hydra.sweeper.params.{one_line(name)}: only on the command line can a sweep vary this")
    choices = {group: cfg.hydra.runtime.choices.get(group) for group in PLUGINS}
    found = _leaves(cfg)
    allowed: list[dict[str, Any]] = []
    wrong = list(found)
    for reference in references([f"{group}={name}" for group, name in choices.items() if name is not None]):
        allowed.append(_leaves(reference))
        wrong = [key for key, value in found.items() if not any(key in a and a[key] == value for a in allowed)]
        if not wrong:
            return
    raise UserError(f"{wrong[0]}={show(found[wrong[0]])}: {_RULE}")


def _leaves(cfg: DictConfig) -> dict[str, Any]:
    block = OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True)
    found: dict[str, Any] = {}
    rest = [("hydra", block)]
    while rest:
        key, value = rest.pop()
        if _OWN.match(key):
            continue
        if isinstance(value, dict) and value:
            rest += [(f"{key}.{name}", inner) for name, inner in value.items()]
        else:
            found[key] = value
    return found


def _texts(node: yaml.Node, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, yaml.ScalarNode):
        yield key, node.value
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _texts(name, key)
            inner = name.value if isinstance(name, yaml.ScalarNode) else "?"
            yield from _texts(value, f"{key}.{inner}" if key else inner)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _texts(value, f"{key}.{i}")
