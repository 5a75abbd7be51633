"""A run's directory: its config, its status, and who may write in it."""

from __future__ import annotations

import errno
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
_PACKAGES = ("gan_cli", "torch", "torchvision", "hydra-core", "numpy")


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
        replace_file(self.path / STATUS, [json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"])

    def close(self) -> None:
        """Let others have it."""
        self._log.close()
        self._lock.close()


def refuse_used(run_dir: str | None) -> None:
    """Refuse a run_dir that holds something, before any work is done for it.

    Raises:
        UserError: it does, or it is not a directory.
    """
    path = Path(run_dir) if run_dir else ROOT
    if run_dir and path.is_dir() and any(entry.name != ".lock" for entry in path.iterdir()):
        raise UserError(f"run_dir={path} is not empty: `gan resume {path}` continues a run, or choose another run_dir")
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"run_dir={path}: {existing} is no directory that can be written in; choose another run_dir")


def create(run_dir: str | None, name: str) -> RunDirectory:
    """Make a run's directory.

    Args:
        run_dir: its path; it may exist if it is empty. None: a new one under runs/, by the time and the name.
        name: what the run is called, such as wgan_dcgan_ring.

    Raises:
        UserError: it holds something, or cannot be made.
    """
    refuse_used(run_dir)
    try:
        path = Path(run_dir) if run_dir else _made(ROOT / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{name}")
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"run_dir={error.filename} cannot be made ({error.strerror}): choose another") from error
    return RunDirectory(path)


def _made(path: Path) -> Path:
    """Make a directory of this name, or with a number behind it where other runs took the name at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for candidate in (path, *(path.with_name(f"{path.name}_{i}") for i in range(2, 10_000))):
        try:
            candidate.mkdir()
        except FileExistsError:
            continue
        return candidate
    raise FileExistsError(errno.EEXIST, "every name is taken", str(path))


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
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "host": socket.gethostname(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "git": _git_commit(),
        "data": fingerprint,
        "process": os.getpid(),
        "timezone": time.strftime("%Z"),
    }


def changes(sessions: list[dict[str, Any]], now: dict[str, Any]) -> str:
    """Say what differs from the last session and keeps the run from being bit-identical; empty where nothing does."""
    if not sessions:
        return ""
    before = sessions[-1]
    pairs = {
        "torch": (before["versions"]["torch"], now["versions"]["torch"]),
        **{key: (before[key], now[key]) for key in ("device", "threads", "data")},
    }
    return ", ".join(f"{key} {old} then, {new} now" for key, (old, new) in pairs.items() if old != new)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None  # a checkout that runs without being installed


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
