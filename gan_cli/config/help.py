"""The text of `gan COMMAND --help`: the options, and every key of the config with the comment of its file."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.compose import Composer
from gan_cli.config.tree import meaning, option_file

_KEY = re.compile(r"( *)'?([A-Za-z_]\w*)'?:(?: |$)")
_COMMENT = re.compile(r"(?:^|\s)# ?(.*)")
_PARENT = re.compile(r"^  - (\w+)(?: |$)", re.MULTILINE)  # in a defaults list: an option of the same group


def help_text(cfg: DictConfig, composer: Composer, resolve: bool) -> str:
    """Fill the help template of a command.

    Args:
        cfg: composed, with its `hydra` block.
        composer: of the command.
        resolve: show values in the place of references to other keys.
    """
    chosen = [group.split("@") for group in cfg.hydra.runtime.choices if not group.startswith("hydra/")]  # dataset@key
    listing = sorted(f"{group[-1]}: {', '.join(composer.options(group[0]))}" for group in chosen)
    heading = ["Options, as group=option (`gan list` shows what each one is)"] if listing else []
    shown = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    return string.Template(cfg.hydra.help.template).safe_substitute(
        HEADER=cfg.hydra.help.header,
        FOOTER=cfg.hydra.help.footer,
        OPTIONS="".join(f"{line}\n" for line in heading + listing),
        CONFIG=commented(OmegaConf.to_yaml(shown, resolve=resolve), _comments(cfg, composer)),
    )


def _comments(cfg: DictConfig, composer: Composer) -> dict[str, str]:
    """Return the comments of the keys in the primary config and the chosen options, and each option's meaning."""
    found = comments(composer.directories[0] / f"{composer.name}.yaml")
    for choice, option in cfg.hydra.runtime.choices.items():
        group, _, place = choice.partition("@")
        if not group.startswith("hydra/") and (path := option_file(group, option, composer.directories)):
            found |= {f"{place or group}": f"{option}: {meaning(path)}", **comments(path, place or group)}
    return found


def comments(path: Path, group: str = "") -> dict[str, str]:
    """Return the comment behind each key of a YAML file, or else the one in the line above it, by dotted key.

    Args:
        path: the file; of an option, what it takes from others of its group is read too.
        group: where the keys of an option stand, unless it says that they stand at the top.
    """
    text = path.read_text(encoding="utf-8")
    parents = [path.with_name(f"{name}.yaml") for name in _PARENT.findall(text)] if group else []
    found = {key: words for parent in parents if parent.is_file() for key, words in comments(parent, group).items()}
    prefix = f"{group}." if group and "# @package _global_" not in text else ""
    above, seen = "", False  # the comments before the first key are about the file
    for key, line in _keys(text):
        if key and (words := _COMMENT.search(line) or _COMMENT.search(above)):
            found[prefix + key] = words[1]
        seen = seen or bool(key)
        above = line if seen and line.lstrip().startswith("#") else ""
    return found


def commented(text: str, known: Mapping[str, str]) -> str:
    """Return a composed config as YAML, each key with its comment."""
    lines = [f"{line}  # {known[key]}" if known.get(key) else line for key, line in _keys(text)]
    return "".join(f"{line}\n" for line in lines)


def _keys(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the dotted key that it gives a value to, '' where it gives none."""
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _KEY.match(line)
        if match is None:
            yield "", line
            continue
        while stack and stack[-1][0] >= len(match[1]):
            stack.pop()
        stack.append((len(match[1]), match[2]))
        yield ".".join(name for _, name in stack), line
