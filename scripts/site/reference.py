"""The pages of the commands and of the curves."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from omegaconf import OmegaConf
from options import choices, key_table, keys
from page_text import plain, table

from gan_cli.cli import commands, main
from gan_cli.commands._list_curves import rows
from gan_cli.config.tree import conf_dir, primary_config


def pages() -> dict[str, str]:
    """Return the page of the commands and that of the curves."""
    return {"reference/commands.md": _commands(), "reference/curves.md": _curves()}


def _commands() -> str:
    parts = ["# Commands and their keys\n", "`gan COMMAND --help` prints the same.\n"]
    for name, meaning in commands().items():
        config = primary_config(name)
        parts += [f"## gan {name}\n", f"{meaning}\n", _parsed(name) if config is None else _configured(config)]
    return "\n".join(parts)


def _configured(config: Path) -> str:
    """Return the examples, groups and keys of a command that Hydra configures."""
    parts = [f"```text\n{OmegaConf.load(config).hydra.help.header.strip()}\n```\n"]
    groups = []
    for choice in choices(config):
        group, _, key = choice.group.partition("@")  # dataset@dataset_b: the key dataset_b has an option of dataset
        groups.append((f"[`{key or group}`](options/{group}.md)", f"`{choice.option}`", plain(choice.comment)))
    if groups:
        parts.append(table(["group", "default", "meaning"], groups))
    return "\n".join([*parts, key_table(keys(config))])


def _parsed(name: str) -> str:
    """Return the help of a command with a parser of its own."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([name, "--help"])
    return f"```text\n{printed.getvalue().strip()}\n```\n"


def _curves() -> str:
    found = [
        (f"`{curve.tag}`", plain(curve.unit), curve.better, plain(curve.meaning), plain(logged_by.replace(",", ", ")))
        for curve, logged_by in rows(conf_dir())
    ]
    return (
        "# Curves\n\n"
        "Every curve of a run, as `gan list curves` prints them. `<word>` stands for any name, and what is in brackets"
        " may be missing. [Curves in TensorBoard and elsewhere](../curves.md) says how to read them.\n\n"
    ) + table(["tag", "unit", "better", "meaning", "logged by"], found)
