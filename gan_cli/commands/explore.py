"""Show what a run's generator has learnt."""

from __future__ import annotations

import hashlib
import inspect
import re
from typing import Any

from gan_cli.analysis.explore.base import Found, Kind
from gan_cli.analysis.explore.clips import encoded
from gan_cli.analysis.figures import png
from gan_cli.commands._results import as_json, write
from gan_cli.config.arguments import CommandLine
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.core.places import place, require_suffix
from gan_cli.core.text import say, show
from gan_cli.session.explore import explore as explored

EXPLORE = "explore"
_LONG = 80  # characters of a file's name that give the arguments


def explore(config: ExploreConfig, line: CommandLine) -> None:
    """Write the result of a kind of exploration as pictures and JSON, and print it with the paths of the files.

    Raises:
        UserError: there is no run, no intact checkpoint, or nothing that this kind can show.
    """
    require_suffix(config.out)
    name = line.choices.get("kind") or config.kind.name
    protocol, found, kind, run = explored(config, name)
    arguments = config.kind.arguments
    given = {"arguments": " ".join(f"{key}={show(value)}" for key, value in arguments.items()) or "none"}
    lines = [f"{key}: {value}" for key, value in (protocol | given).items()]
    say("\n".join([*lines, "", *found.lines, ""]))
    stem = "_".join([name, f"step_{protocol['step']:010d}", protocol["weights"], f"seed_{config.seed}"])
    if run.extractor is not None:
        stem += f"_{run.extractor.name}"
    folder, files = place(config.out, run.path, EXPLORE), _files(stem + _changed(kind, arguments), protocol, found)
    write(folder, files)
    for name in files:
        say(folder / name)


def _changed(kind: Kind, arguments: dict[str, Any]) -> str:
    """Return the arguments that differ from the class's defaults, as part of a file name."""
    known = inspect.signature(type(kind)).parameters
    given = {key: value for key, value in arguments.items() if key not in known or value != _plain(known[key].default)}
    full = "".join(f"_{key}_{_word(value)}" for key, value in given.items())
    text = re.sub(r"[^A-Za-z0-9_.+-]+", "-", full)[:_LONG]
    if text == full:
        return text
    return f"{text}_{hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:8]}"


def _word(value: Any) -> str:
    return "+".join(map(_word, value)) if isinstance(value, list) else show(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _files(stem: str, protocol: dict[str, Any], found: Found) -> dict[str, bytes]:
    """Return the pictures, the animations and the JSON, by the names of their files."""
    content = {(name, "png"): png(picture) for name, picture in found.pictures.items()}
    content |= {(name, clip.format): encoded(clip) for name, clip in found.clips.items()}
    files = {f"{stem}{f'_{name}' if name else ''}.{kind}": file for (name, kind), file in content.items()}
    return files | {f"{stem}.json": as_json({"protocol": protocol, **found.numbers, "lines": found.lines})}
