"""A run's directory: its config, its status and its lock."""

from __future__ import annotations

import errno
import json
import os
import re
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from gan_cli.core import untrusted
from gan_cli.core.files import AppendFile, hold, replace_file
from gan_cli.core.untrusted import check_tree
from gan_cli.errors import UserError

CONFIG, STATUS, LOG = "config.yaml", "run.json", "train.log"
CHECKPOINTS, SAMPLES, PROFILE = "checkpoints", "samples", "profile"
SWEEP = "sweep.json"  # in a directory of a sweep, beside its runs
ROOT = Path("runs")
STATUS_BYTES = 2**24  # of run.json, which grows by a session each time the run is resumed
_UNFINISHED_CONFIG = re.compile(rf"\.{re.escape(CONFIG)}\.\d+\.tmp")


class RunDirectory:
    """One run's directory, held by this process alone until it is closed.

    Args:
        path: an existing directory.

    Raises:
        UserError: it cannot be written, holds what is no plain file, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_tree(path, written=True)
        try:
            self._lock = hold(path)
        except BlockingIOError as error:
            raise UserError(f"{path} is in use by another process: wait for it, or stop it") from error
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}): choose another run_dir") from error
        self._log = AppendFile(path / LOG)

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints."""
        return self.path / CHECKPOINTS

    def note(self, text: str) -> None:
        """Append a line to train.log."""
        stamp = datetime.now().isoformat(sep=" ", timespec="seconds")
        self._log.write(f"{stamp} {text}\n".encode())

    def write_config(self, settings: dict[str, Any]) -> None:
        """Freeze the fully resolved config.

        Raises:
            UserError: it is larger than what is read back.
        """
        text = "# The resolved config of this run; `gan resume` and `gan sample` read it\n"
        content = (text + yaml.safe_dump(settings, sort_keys=False)).encode()
        if len(content) > untrusted.CONFIG_BYTES:
            raise UserError(
                f"the config is {len(content):,} bytes long; a run's has at most {untrusted.CONFIG_BYTES:,}"
            )
        replace_file(self.path / CONFIG, [content])

    def write_status(self, status: str, **facts: Any) -> None:
        """Merge facts into run.json: how far the run is and how it ended."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        content = {**read_status(self.path), "status": status, "updated": now, **facts}
        replace_file(self.path / STATUS, [json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"])

    def close(self) -> None:
        """Let others have it."""
        self._log.close()
        self._lock.close()


def used(path: Path) -> bool:
    """Return whether a directory holds more than what a process leaves that was killed before it wrote its config.

    Raises:
        UserError: it cannot be read.
    """
    try:
        entries = list(path.iterdir()) if path.is_dir() else []
        return not all(e.name == ".lock" or _UNFINISHED_CONFIG.fullmatch(e.name) or _is_empty_log(e) for e in entries)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): choose another run_dir") from error


def _is_empty_log(entry: Path) -> bool:
    return entry.name == LOG and entry.is_file() and not entry.stat().st_size


def refuse_used(run_dir: str | None) -> None:
    """Refuse a run_dir that holds something, before any work is done for it.

    Raises:
        UserError: it does, or it is not a directory.
    """
    path = Path(run_dir) if run_dir else ROOT
    if run_dir and used(path):
        raise UserError(f"run_dir={path} is not empty: `gan resume {path}` continues a run, or choose another run_dir")
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"run_dir={path}: {existing} is not a writable directory; choose another run_dir")


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
    for candidate in chain([path], (path.with_name(f"{path.name}_{i}") for i in range(2, 10_000))):
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
    """Return run.json's content, {} where there is none; its `sessions`, if any, are a list of mappings.

    Raises:
        UserError: it is not what a run writes.
    """
    try:
        content = untrusted.parse_json(untrusted.read(path / STATUS, STATUS_BYTES))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path / STATUS} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path / STATUS} cannot be read: {error}") from error
    sessions = content.get("sessions", []) if isinstance(content, dict) else None
    if not isinstance(sessions, list) or not all(isinstance(session, dict) for session in sessions):
        raise UserError(f"{path / STATUS} is not a run's status")
    return content


def read_config(path: Path) -> dict[str, Any]:
    """Return the raw content of a run's config.yaml; the caller validates it.

    Every command reads a run's config before anything else of the run, so what is no plain file is refused here.

    Raises:
        UserError: there is no run here, its config is not YAML, or it holds links, pipes or devices.
    """
    if not path.is_dir():
        raise UserError(f"run={path}: no such directory; `gan runs` shows the runs here")
    check_tree(path)
    try:
        content = untrusted.parse_yaml(untrusted.read(path / CONFIG, untrusted.CONFIG_BYTES))
    except FileNotFoundError as error:
        raise UserError(f"run={path}: not a run's directory, it has no {CONFIG}") from error
    except OSError as error:
        raise UserError(f"{path / CONFIG} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path / CONFIG} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path / CONFIG} is not a config")
    return content


def sweep_of(run: Path) -> str | None:
    """Return the name of the sweep that a run belongs to; None: to none."""
    return run.parent.name if (run.parent / SWEEP).is_file() else None
