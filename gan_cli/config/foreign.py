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
_FREE = re.compile(  # keys of the hydra block that every command line has its own of
    r"hydra\.(runtime|overrides|searchpath|job\.(override_dirname|config_name))(\.|$)"
)
_TEXT = re.compile(r"hydra\.(help|hydra_help|mode|sweeper\.params)(\.|$)")  # keys that a config may set, as they stand
_REFERENCES = re.compile(r"(?:[^$]|\$(?!\{)|\$\{\w+\})*")  # text that refers to keys alone, and reads nothing
_PARAMETER = re.compile(r"\+{0,2}([A-Za-z_]\w*)[\w./]*")
_NOT_BY_A_SWEEP = ("hydra", "allow_targets", "run_dir", "out")
_RULE = (
    "a config directory may choose hydra/launcher and hydra/sweeper among the installed plugins, hydra.mode and "
    "hydra.sweeper.params, and nothing else of Hydra: remove it, or give it on the command line"
)


def check_files(directory: Path) -> None:
    """Refuse a directory whose config files are too large, or whose aliases stand for too much, before Hydra reads it.

    Hydra resolves a defaults list while it composes; what that may refer to is checked here too.

    Raises:
        UserError: the first such file.
    """
    for depth in range(_DEPTH + 1):
        for path in sorted(directory.glob("*/" * depth + "*.y*ml")):
            node = _read(path, untrusted.compose_yaml)
            for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
                for text in _texts(value) if key.value in ("defaults", "<<") else ():
                    if not _REFERENCES.fullmatch(text):
                        raise UserError(f"{path}: {show(text)}: a defaults list may refer to its own groups alone")


def refuse_search_path(primary: Path) -> None:
    """Refuse a primary config that lets Hydra search elsewhere: a `pkg://` there would be imported.

    Raises:
        UserError: it does.
    """
    config = _read(primary, untrusted.parse_yaml) if primary.exists() else None
    block = config.get("hydra") or {} if isinstance(config, dict) else {}
    if not isinstance(block, dict):
        raise UserError(f"hydra={show(block)}: must be a mapping; {_RULE}")
    if "searchpath" in block:
        raise UserError(f"hydra.searchpath={show(block['searchpath'])}: {_RULE}")


def check_hydra(cfg: DictConfig, references: Callable[[list[str]], Iterator[DictConfig]]) -> None:
    """Refuse a composed config whose `hydra` block is not the package's or Hydra's own, but for what `_RULE` allows.

    Args:
        cfg: composed with the directory's files.
        references: given overrides, what the package alone and Hydra alone compose to with those on the command line.

    Raises:
        UserError: the first key that differs.
    """
    varied = OmegaConf.to_container(cfg.hydra, resolve=False)["sweeper"].get("params")
    for name in varied if isinstance(varied, dict) else ():
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


def _read(path: Path, parse: Callable[[bytes], Any]) -> Any:
    """Return what a config file holds; None for one that is not YAML: Hydra explains that, if it reads the file."""
    try:
        return parse(untrusted.read(path.resolve(), untrusted.CONFIG_BYTES))
    except OSError as error:
        raise UserError(f"{path} {error.strerror}: not a config file") from error
    except ValueError as error:
        if isinstance(error.__cause__, yaml.MarkedYAMLError):
            return None
        raise UserError(f"{path} holds {error}: not a config file") from error


def _leaves(cfg: DictConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest: list[tuple[str, Any]] = [("hydra", OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True))]
    while rest:
        key, value = rest.pop()
        if isinstance(value, dict) and value and not _FREE.match(key):
            rest += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif not (_FREE.match(key) or (_TEXT.match(key) and "${" not in str(value))):
            found[key] = value
    return found


def _texts(node: yaml.Node) -> Iterator[str]:
    if isinstance(node, yaml.ScalarNode):
        yield node.value
    elif isinstance(node, yaml.CollectionNode):
        for inner in node.value:
            for part in inner if isinstance(inner, tuple) else (inner,):
                yield from _texts(part)
