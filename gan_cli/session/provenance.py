"""What the numbers of a run depend on besides its config: versions, device, threads, data."""

from __future__ import annotations

import functools
import os
import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from gan_cli.core.extras import version
from gan_cli.core.text import shell_line, show

_PACKAGES = ("gan_cli", "torch", "torchvision", "hydra-core", "numpy")

_MACHINE = {  # where a session's entry has it, and what brings it back
    "torch": (("versions", "torch"), "with torch=={} installed"),
    "device": (("device",), "on the same device as before"),
    "processor": (("processor",), "on the same processor as before"),
    "threads": (("threads",), "with runtime.threads={}"),
    "precision": (("precision",), "with runtime.precision={}"),
    "engine": (("engine",), "with runtime.engine={}"),
    "processes": (("processes",), "with {} processes"),
}


def provenance(device: torch.device, fingerprint: str) -> dict[str, Any]:
    """Return what the numbers of a run depend on besides its config."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": (command := ["gan", *sys.argv[1:]]),
        "command_line": shell_line(*command),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
        "host": socket.gethostname(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "git": _git_commit(),
        "data": fingerprint,
        "process": os.getpid(),
        "timezone": time.strftime("%Z"),
    }


def processor() -> str:
    """Return the CPU's model."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        match = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE)
        if match:
            return match[1]
    return platform.processor() or platform.machine()


@functools.cache
def _git_commit() -> str | None:
    """The commit of the package's checkout, with + where it was changed; None for an installed package."""
    here = Path(__file__).resolve().parent
    git = ["git", "-C", str(here)]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=10)
        if tracked.returncode:
            return None
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return commit + ("+" if changed else "")


def unlike(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what keeps a session from going on bit for bit, and how to get that back; '' where nothing does.

    Args:
        before: the entry of the last session in run.json; what it does not hold is not compared.
        now: the entry of this one, as `rundir.provenance` returns it.
    """
    pairs = {name: (_at(before, path), _at(now, path)) for name, (path, _) in _MACHINE.items()}
    changed = {name: pair for name, pair in pairs.items() if pair[0] is not None and pair[0] != pair[1]}
    if changed.get("device") == changed.get("processor"):  # on a CPU they are one thing
        changed.pop("processor", None)
    if not changed:
        return ""
    differences = ", ".join(f"{name} {show(old)} before, {show(new)} now" for name, (old, new) in changed.items())
    fixes = dict.fromkeys(_MACHINE[name][1].format(str(old).partition("+")[0]) for name, (old, _) in changed.items())
    return (
        f"unlike the session before ({differences}): the run continues, but not bit for bit; for that, stop it and "
        f"resume {' and '.join(fixes)}"
    )


def _at(entry: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry
