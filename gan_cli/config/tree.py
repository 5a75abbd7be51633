"""The place of the config tree, and what can be read from it without a YAML parser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from gan_cli.errors import GanError, UserError

PACKAGE = Path(__file__).resolve().parents[1]
_HEAD = 4096  # characters of a YAML file in which its meaning stands


def conf_dir() -> Path:
    """Return the tree's directory: inside an installed package, beside the package in a checkout.

    Raises:
        GanError: an installation without the tree.
    """
    for candidate in (PACKAGE / "conf", PACKAGE.parent / "conf"):
        if (candidate / "train.yaml").is_file():
            return candidate
    raise GanError(f"no conf/train.yaml in or beside {PACKAGE}; install gan_cli again")


def primary_config(command: str) -> Path | None:
    """Return a command's primary config, or None where the command is not configured by Hydra."""
    path = conf_dir() / f"{command}.yaml"
    return path if path.is_file() else None


def top_keys(config: Path) -> dict[str, str]:
    """Return the top-level keys of a YAML file and the text after each colon."""
    text = config.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z_]\w*):[ \t]*([^#\n]*?)[ \t]*(?:#.*)?$", text, flags=re.MULTILINE))


def chosen_groups(config: Path) -> list[str]:
    """Return the groups of which a primary config chooses an option."""
    return re.findall(r"^  - ([A-Za-z_]\w*): ", config.read_text(encoding="utf-8"), flags=re.MULTILINE)


def positional_key(config: Path) -> str | None:
    """Return the key that a bare argument fills (`gan resume RUN`): the first that has no default."""
    return next((key for key, value in top_keys(config).items() if value == "???"), None)


def meaning(config: Path) -> str:
    """Return the first comment of a YAML file that is not a `@package` line; '' where there is none."""
    with config.open(encoding="utf-8", errors="replace") as file:
        lines = [text for line in file.read(_HEAD).splitlines() if (text := line.strip())]
    comments = [text.lstrip("#").strip() for text in takewhile(lambda text: text.startswith("#"), lines)]
    return next((text for text in comments if text and not text.startswith("@package")), "")


def directories_with(config_dir: str | None) -> list[Path]:
    """Return the directories of options: the user's own (`--config-dir`), whose files hide others, and the package's.

    Raises:
        UserError: there is no such directory.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"--config-dir {config_dir}: no such directory")
    return [*([Path(config_dir)] if config_dir is not None else []), conf_dir()]


def option_file(group: str, option: str, directories: Iterable[Path]) -> Path | None:
    """Return the file of an option in the first directory that has it; None where there is no such option."""
    files = (directory / group / f"{option}{ending}" for directory in directories for ending in (".yaml", ".yml"))
    return next((path for path in files if path.is_file()), None)


def options(group: str, *directories: Path) -> list[str]:
    """Return the names of a group's options; [] for what is not a group."""
    folders = [directory / group for directory in directories if group]
    return sorted({path.stem for folder in folders for path in folder.glob("*.y*ml") if path.is_file()})


def groups(*directories: Path) -> dict[str, dict[str, str]]:
    """Return every group's options with their meanings; an earlier directory's file hides a later one's.

    Returns:
        group name ('loss') -> option name ('wgan') -> one-line meaning, both sorted.
    """
    found: dict[str, dict[str, str]] = {}
    for directory in directories:
        for path in sorted(directory.rglob("*.y*ml")):
            group = path.parent.relative_to(directory).as_posix()
            if path.is_file() and path.suffix in (".yaml", ".yml") and group != "." and not group.startswith("hydra"):
                found.setdefault(group, {}).setdefault(path.stem, meaning(path))
    return {group: dict(sorted(options.items())) for group, options in sorted(found.items())}
