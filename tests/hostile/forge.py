"""Makes checkpoints of anything, with valid hashes: a stranger can compute them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from gan_cli.core.files import hashed
from gan_cli.runs import checkpoint, checkpoint_files

STATE, META, MANIFEST = "state.safetensors", "meta.json", "MANIFEST.json"


def alone(run: Path) -> Path:
    """Remove every checkpoint but the newest, so that none can take its place, and return that."""
    kept, *others = (run / "checkpoints" / f"step_{step:010d}" for step in checkpoint.steps(run / "checkpoints"))
    for other in others:
        shutil.rmtree(other)
    return kept


def seal(path: Path, change: Any = None) -> None:
    """Write the manifest that is true of a checkpoint's files, or what a function makes of it."""
    files = {name: hashed(path / name) for name in (STATE, META)}
    (path / MANIFEST).write_bytes(checkpoint_files.manifest(change(files) if change else files))


def put(path: Path, name: str, content: Any) -> None:
    """Write a file of a checkpoint, JSON where it is not bytes, and seal it."""
    (path / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    seal(path)


def header(state: bytes) -> tuple[dict[str, Any], bytes]:
    """Split a safetensors file into its header and its data."""
    end = 8 + int.from_bytes(state[:8], "little")
    return json.loads(state[8:end]), state[end:]


def state_of(head: Any, data: bytes = b"") -> bytes:
    """Join a header, or the text of one, and data."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + data


def meta(path: Path, **changes: Any) -> dict[str, Any]:
    return json.loads((path / META).read_bytes()) | changes
