"""Makes checkpoints of anything, with valid hashes: a stranger can compute them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from gan_cli.runs import checkpoint

STATE, META, MANIFEST = "state.safetensors", "meta.json", "MANIFEST.json"


def newest(run: Path) -> Path:
    return run / "checkpoints" / f"step_{checkpoint.steps(run / 'checkpoints')[0]:010d}"


def alone(run: Path) -> Path:
    """Remove every checkpoint but the newest, so that none can take its place."""
    kept = newest(run)
    for other in kept.parent.iterdir():
        if other != kept:
            shutil.rmtree(other)
    return kept


def seal(path: Path, files: dict[str, Any] | None = None) -> None:
    """Write a manifest that is true of what lies in a checkpoint's directory."""
    entries = {name: checkpoint._entry((path / name).read_bytes()) for name in (STATE, META)}
    (path / MANIFEST).write_bytes(checkpoint._manifest(entries if files is None else files))


def header(state: bytes) -> tuple[dict[str, Any], bytes]:
    """Split a safetensors file into its header and its data."""
    end = 8 + int.from_bytes(state[:8], "little")
    return json.loads(state[8:end]), state[end:]


def state_of(head: Any, data: bytes) -> bytes:
    """Join a header, or the text of one, and data."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + data


def put_state(path: Path, content: bytes) -> None:
    (path / STATE).write_bytes(content)
    seal(path)


def put_meta(path: Path, content: bytes | dict[str, Any]) -> None:
    (path / META).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    seal(path)


def meta(path: Path) -> dict[str, Any]:
    return json.loads((path / META).read_bytes())
