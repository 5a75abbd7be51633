"""Writes the results of a command."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.core.files import replace_file
from gan_cli.core.places import writing

JSON = (".json",)  # the suffix of results


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a directory, each file whole or not at all.

    Args:
        folder: made where it does not exist.
        files: name -> content.

    Raises:
        UserError: one of them cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            replace_file(folder / name, [content])


def as_json(content: Any) -> bytes:
    """Return values as a file of strict JSON, in which numbers that are not finite are text."""
    return json.dumps(_strict(content), indent=1, allow_nan=False).encode() + b"\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
