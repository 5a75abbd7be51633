"""What a config directory of the user's may hold: it may come from a stranger.

Its files are small and plain, and they choose nothing of Hydra but an installed launcher and sweeper, the mode, and
what a sweep varies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from gan_cli.core import untrusted
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError

PLUGINS = ("hydra/launcher", "hydra/sweeper")  # groups of which it may choose an installed option
_DEPTH = 3  # of folders in which Hydra finds options
_FREE = re.compile(  # keys of the hydra block that every command line has its own of, that are text, or are allowed
    r"hydra\.(runtime|overrides|help|hydra_help|mode|searchpath|sweeper\.params|job\.(override_dirname|config_name))(\.|$)"
)
_PARAMETER = re.compile(r"\+{0,2}([A-Za-z_]\w*)[\w./]*")
_NOT_BY_A_SWEEP = ("hydra", "allow_targets", "run_dir", "out")
_RULE = (
    "a config directory may choose hydra/launcher and hydra/sweeper among the installed plugins, hydra.mode and "
    "hydra.sweeper.params, and nothing else of Hydra: remove it, or give it on the command line"
)


def check_files(directory: Path) -> None:
    """Refuse a directory whose config files are too large, or whose aliases stand for too much, before Hydra reads it.

    Raises:
        UserError: the first such file.
    """
    for depth in range(_DEPTH + 1):
        for path in sorted(directory.glob("*/" * depth + "*.y*ml")):
            try:
                untrusted.compose_yaml(untrusted.read(path.resolve(), untrusted.CONFIG_BYTES))
            except OSError as error:
                raise UserError(f"{path} {error.strerror}: not a config file") from error
            except ValueError as error:
                if not isinstance(error.__cause__, yaml.MarkedYAMLError):  # Hydra explains that, if it reads the file
                    raise UserError(f"{path} holds {error}: not a config file") from error


def refuse_search_path(primary: Path) -> None:
    """Refuse a primary config that lets Hydra search elsewhere: a `pkg://` there would be imported.

    Raises:
        UserError: it does.
    """
    try:
        block = untrusted.parse_yaml(untrusted.read(primary.resolve(), untrusted.CONFIG_BYTES)).get("hydra", {})
        path = block.get("searchpath")
    except (OSError, ValueError, AttributeError):
        return  # Hydra explains it, and reads no search path from it
    if path is not None:
        raise UserError(f"hydra.searchpath={show(path)}: {_RULE}")


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
    wrong = set(found)
    for reference in references([f"{group}={name}" for group, name in choices.items() if name is not None]):
        allowed = _leaves(reference)
        wrong -= {key for key, value in found.items() if key in allowed and allowed[key] == value}
        if not wrong:
            return
    key = min(wrong)
    raise UserError(f"{key}={show(found[key])}: {_RULE}")


def _leaves(cfg: DictConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest: list[tuple[str, Any]] = [("hydra", OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True))]
    while rest:
        key, value = rest.pop()
        if _FREE.match(key):
            continue
        if isinstance(value, dict) and value:
            rest += [(f"{key}.{name}", inner) for name, inner in value.items()]
        else:
            found[key] = value
    return found
