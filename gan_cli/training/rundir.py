"""A run's directory: its config, its status, and who may write in it."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import yaml

from gan_cli.errors import UserError
from gan_cli.files import AppendFile, replace_file

CONFIG, STATUS, LOG, CHECKPOINTS, SAMPLES = "config.yaml", "run.json", "train.log", "checkpoints", "samples"
ROOT = Path("runs")


class RunDirectory:
    """One run's directory, held by this process alone until it is closed.

    Args:
        path: an existing directory.

    Raises:
        UserError: it cannot be written, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._lock = open(path / ".lock", "w")  # noqa: SIM115
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}): choose another run_dir") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{path} is in use by another process: wait for it, or stop it") from error
        self._log = AppendFile(path / LOG)

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints lie."""
        return self.path / CHECKPOINTS

    def note(self, text: str) -> None:
        """Append a line to train.log."""
        stamp = datetime.now().isoformat(sep=" ", timespec="seconds")
        self._log.write(f"{stamp} {text}\n".encode())

    def write_config(self, settings: dict[str, Any]) -> None:
        """Freeze the fully resolved config."""
        text = "# The resolved config of this run; `gan resume` and `gan sample` read it\n"
        replace_file(self.path / CONFIG, [(text + yaml.safe_dump(settings, sort_keys=False)).encode()])

    def write_status(self, status: str, **facts: Any) -> None:
        """Merge facts into run.json: how far the run is and how it ended."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        content = {**read_status(self.path), "status": status, "updated": now, **facts}
        replace_file(self.path / STATUS, [json.dumps(content, indent=1).encode() + b"\n"])

    def close(self) -> None:
        """Let others have it."""
        self._log.close()
        self._lock.close()


def create(run_dir: str | None, name: str) -> RunDirectory:
    """Make a run's directory.

    Args:
        run_dir: its path; it may exist if it is empty. None: under runs/, by the time and the name.
        name: what the run is called, such as wgan_dcgan_ring.

    Raises:
        UserError: it holds something, or cannot be made.
    """
    path = Path(run_dir) if run_dir else _unused(ROOT / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{name}")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(entry.name != ".lock" for entry in path.iterdir()):
            raise UserError(
                f"run_dir={path} is not empty: `gan resume {path}` continues a run, or choose another run_dir"
            )
    except OSError as error:
        raise UserError(f"run_dir={path} cannot be made ({error.strerror}): choose another run_dir") from error
    return RunDirectory(path)


def _unused(path: Path) -> Path:
    candidates = (path if i == 1 else path.with_name(f"{path.name}_{i}") for i in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())


def slug(text: str) -> str:
    """Return text as part of a directory's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_")


def read_status(path: Path) -> dict[str, Any]:
    """Return run.json's content, {} where there is none.

    Raises:
        UserError: it is not what a run writes.
    """
    try:
        content = json.loads((path / STATUS).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path / STATUS} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path / STATUS} is not a run's status")
    return content


def read_config(path: Path) -> dict[str, Any]:
    """Return the raw content of a run's config.yaml; the caller validates it.

    Raises:
        UserError: there is no run here, or its config is not YAML.
    """
    if not path.is_dir():
        raise UserError(f"run={path}: no such directory; `ls {ROOT}` shows the runs here")
    try:
        content = yaml.safe_load((path / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"run={path}: not a run's directory, it has no {CONFIG}") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path / CONFIG} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path / CONFIG} is not a config")
    return content


def provenance(device: torch.device, fingerprint: str) -> dict[str, Any]:
    """Return what the numbers of a run depend on besides its config."""
    packages = ("gan_cli", "torch", "torchvision", "hydra-core", "numpy")
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages},
        "host": socket.gethostname(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "git": _git_commit(),
        "data": fingerprint,
        "process": os.getpid(),
        "timezone": time.strftime("%Z"),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say what of two provenances keeps a continued run from being bit-identical; empty where nothing does."""
    if "versions" not in before:
        return ""
    pairs = {
        "torch": (before["versions"]["torch"], now["versions"]["torch"]),
        **{key: (before.get(key), now[key]) for key in ("device", "threads", "data")},
    }
    return ", ".join(f"{key} {old} then, {new} now" for key, (old, new) in pairs.items() if old != new)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        match = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE)
        if match:
            return match[1]
    return platform.processor() or platform.machine()


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
