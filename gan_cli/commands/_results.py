"""Writes the results of a command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gan_cli.core.files import replace_file
from gan_cli.errors import UserError

JSON = (".json",)  # the suffix of results


def write_json(out: Path, content: dict[str, Any]) -> None:
    """Write strict JSON; the file is replaced whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    text = json.dumps(content, indent=1, allow_nan=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, [text.encode() + b"\n"])
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error


def strict(value: Any) -> Any:
    """Return a value in which numbers that are not finite are text, because JSON has no such numbers."""
    if isinstance(value, dict):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
