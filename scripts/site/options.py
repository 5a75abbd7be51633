"""The pages of the config groups: every option with its comment and its keys, and the docstrings of the classes."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import griffe
import studies
from omegaconf import OmegaConf
from page_text import plain, table

from gan_cli.config.help import comments
from gan_cli.config.tree import conf_dir, groups
from gan_cli.core.text import show

FOLDER = "reference/options"
# Group, option and comment of an entry of a defaults list.
_ENTRY = re.compile(r"^  - (?:override /?)?([\w@/]+): +(\S+)(?: +# (.*))?$")


class Key(NamedTuple):
    """A key of a YAML file: its dotted name, its default as text, and its meaning, '' where none is written."""

    name: str
    default: str
    meaning: str


class Choice(NamedTuple):
    """An option of another group that a file chooses, and the comment beside it."""

    group: str
    option: str
    comment: str


@functools.cache
def pages() -> dict[str, str]:
    """Return an index of the groups and a page for each."""
    found = groups(conf_dir())
    return {f"{FOLDER}/index.md": _index(found)} | {
        f"{FOLDER}/{group}.md": _page(group, options) for group, options in found.items()
    }


def keys(path: Path) -> list[Key]:
    """Return the keys of a YAML file in their order.

    The meaning of a key is its comment, else what the docstring of the class that takes it says, else what another file
    says of the same key: train.yaml, an option that the file chooses, one of the key's group, or one of the file's own.
    """
    return [key._replace(meaning=key.meaning or _elsewhere(path, key.name)) for key in _documented(path)]


def _elsewhere(path: Path, name: str) -> str:
    group, _, key = name.partition(".")
    chosen = [conf_dir() / choice.group / f"{choice.option}.yaml" for choice in choices(path) if choice.group == group]
    places = [(conf_dir() / "train.yaml", name)]
    for other in (*filter(Path.is_file, chosen), *sorted((conf_dir() / group).glob("*.yaml"))):
        places += [(other, key), (other, name)]
    places += [(other, name) for other in sorted(path.parent.glob("*.yaml"))]
    said = (known.meaning for place, wanted in places for known in _documented(place) if known.name == wanted)
    return next(filter(None, said), "")


@functools.cache
def _documented(path: Path) -> list[Key]:
    defaults = _flat({key: value for key, value in content(path).items() if key not in ("defaults", "hydra")})
    arguments = {name: _argument(name, defaults) for name in defaults}
    said = comments(path)
    found = []
    for name, default in defaults.items():
        users = [arguments[user] for user, value in defaults.items() if value == f"${{..{name}}}"]
        meanings = [said.get(name), arguments[name], *users]
        found.append(Key(name, default, next(filter(None, meanings), "")))
    return found


def _argument(name: str, defaults: dict[str, str]) -> str:
    """Return what a class's docstring says of the argument that a key of a file sets."""
    above, dot, key = name.rpartition(".")
    return described(defaults.get(f"{above}{dot}_target_", "")).get(key, "")


def content(path: Path) -> dict[str, Any]:
    """Return what a YAML file has, its interpolations as text."""
    found: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return found


def choices(path: Path) -> list[Choice]:
    """Return what the defaults list of a YAML file chooses, without what it chooses for Hydra itself."""
    block = re.search(r"^defaults:\n((?:  .*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    lines = map(_ENTRY.match, block[1].splitlines() if block else [])
    found = [Choice(line[1], line[2], line[3] or "") for line in lines if line]
    return [choice for choice in found if not choice.group.startswith("hydra")]


def key_table(found: list[Key]) -> str:
    """Return a table of keys."""
    rows = [(f"`{key.name}`", f"`{key.default}`", plain(key.meaning)) for key in found]
    return table(["key", "default", "meaning"], rows)


@functools.cache
def described(target: str) -> dict[str, str]:
    """Return what the docstring of a class of this package says of its arguments."""
    if not target.startswith("gan_cli."):
        return {}
    docstring = _package()[target.removeprefix("gan_cli.")].docstring
    sections = docstring.parse("google", warnings=False) if docstring else []
    return {
        argument.name: " ".join(argument.description.split())
        for section in sections
        if section.kind is griffe.DocstringSectionKind.parameters
        for argument in section.value
    }


@functools.cache
def _package() -> Any:
    return griffe.load("gan_cli", search_paths=[Path(__file__).resolve().parents[2]])


def _flat(content: dict[str, Any], above: str = "") -> dict[str, str]:
    """Return the leaves of nested mappings: dotted name -> value as text."""
    found = {}
    for key, value in content.items():
        name = f"{above}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: show(value)}
    return found


def _index(found: dict[str, dict[str, str]]) -> str:
    commands = sorted(conf_dir().glob("*.yaml"), key=lambda path: path.stem == "train")  # its comments count
    decides = {choice.group: choice.comment for path in commands for choice in choices(path)}
    rows = [
        (f"[`{group}`]({group}.md)", plain(decides[group]), ", ".join(f"[{o}]({group}.md#{o})" for o in options))
        for group, options in found.items()
    ]
    return (
        "# Options\n\n"
        "Every group with its options, as `gan list` prints them; `gan train GROUP=OPTION` chooses one. These pages are"
        " made from the YAML files in `conf/` and from the docstrings of the classes that they name.\n\n"
    ) + table(["group", "what it decides", "options"], rows)


def _page(group: str, options: dict[str, str]) -> str:
    parts, classes = [f"# {group}\n"], []
    for option, meaning in options.items():
        path = conf_dir() / group / f"{option}.yaml"
        found = keys(path)
        targets = [key.default for key in found if key.name.rpartition(".")[2] == "_target_"]
        classes += targets
        about = studies.about(content(path)) if group == "study" else _about(targets, choices(path), found)
        parts += [f"## {option}\n", f"{plain(meaning)}\n", *about]
    own = [name for name in dict.fromkeys(classes) if name.startswith("gan_cli.") and ".base." not in name]
    if own:  # base classes have their place in the page of Python
        parts.append("## Classes\n")
        parts += [f"::: {name}\n    options: {{members: false}}\n" for name in own]
    return "\n".join(parts)


def _about(targets: list[str], chosen: list[Choice], found: list[Key]) -> list[str]:
    """Return the classes of an option, what it chooses of other groups, and its keys."""
    parts = []
    if targets:
        links = (f"[`{t.rpartition('.')[2]}`][{t}]" if t.startswith("gan_cli.") else f"`{t}`" for t in targets)
        parts.append(f"Built from {', '.join(dict.fromkeys(links))}.\n")
    if chosen:
        words = (f"`{c.group}={c.option}`" + (f" ({plain(c.comment)})" if c.comment else "") for c in chosen)
        parts.append(f"Chooses {', '.join(words)}.\n")
    others = [key for key in found if key.name.rpartition(".")[2] != "_target_"]
    return [*parts, key_table(others)] if others else parts
