"""A run's directory: its config, its status and its lock."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from gan_cli.core import untrusted
from gan_cli.core.files import AppendFile, Content, Tally, replace_file, sweep
from gan_cli.core.held import Held
from gan_cli.core.text import shell_line
from gan_cli.errors import UserError
from gan_cli.runs.contents import SAMPLES, is_status, step_of
from gan_cli.runs.exported import is_export, needs_the_run

CONFIG, STATUS, LOG = "config.yaml", "run.json", "train.log"
UNUSED = "unused_pictures.txt"  # what looks like a picture of the data and is not used
CHECKPOINTS, PROFILE = "checkpoints", "profile"
SWEEP = "sweep.json"  # in a directory of a sweep, beside its runs
ROOT = Path("runs")
_MOST_FILES = 100_000
STATUS_BYTES = 2**24  # of run.json, which grows by a session each time the run is resumed
_UNFINISHED = (".*.tmp", f"{SAMPLES}/.*.tmp", f"{CHECKPOINTS}/.tmp-*")


class RunDirectory(Held):
    """One run's directory, held by this process alone until it is closed.

    Everything is written into the directory that was opened, also where its path leads to another one by now. What
    `append` and `write` make is counted and hashed, for the checkpoints. What a killed process left unfinished is
    removed.

    Attributes:
        status: what run.json says.
        damage: why run.json cannot be read; `status` is empty then. None: it can.

    Raises:
        UserError: it cannot be written, holds what is no plain file, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        untrusted.check_tree(path, written=True)
        try:
            super().__init__(path)
            for pattern in _UNFINISHED:
                sweep(self.inside, pattern)
            self._log = AppendFile(self.inside / LOG)
        except BlockingIOError as error:
            raise UserError(f"{path} is in use by another process: wait for it, or stop it") from error
        except OSError as error:
            Held.close(self)
            raise UserError(f"{path} cannot be written ({error.strerror}): choose another run_dir") from error
        self._growing: dict[str, AppendFile] = {}
        self._whole: dict[str, Content] = {}
        self.status: dict[str, Any] = {}
        self.damage: str | None = None
        try:
            self.status = read_status(path)
        except UserError as error:
            if isinstance(error.__cause__, OSError):
                self.close()
                raise
            self.damage = str(error)

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints, to write there."""
        return self.inside / CHECKPOINTS

    def named(self, error: OSError) -> str:
        """Return an error of a file here in one line, with the file's name as the user knows it."""
        name = str(error.filename2 or error.filename or self.path).replace(str(self.inside), str(self.path), 1)
        return f"{name}: {error.strerror or error}"

    def append(self, name: str, held: Tally | None = None) -> AppendFile:
        """Return the file that grows under this name, one a run; `held` as for `AppendFile`."""
        if name not in self._growing:
            self._growing[name] = AppendFile(self.inside / name, held)
        return self._growing[name]

    def write(self, name: str, content: bytes) -> None:
        """Write a file that stays as it is."""
        self.keep(name, replace_file(self.inside / name, [content]))

    def keep(self, name: str, content: Content) -> None:
        """Count a file among the run's that stays as it is; of more than a checkpoint's meta.json can hold, no more."""
        if len(self._whole) < _MOST_FILES:
            self._whole[name] = content

    def contents(self, last_step: int | None = None) -> dict[str, Content]:
        """Return the size and hash of each file by name; of what is of steps up to `last_step`, if one is given."""
        growing = {name: file.content(last_step) for name, file in self._growing.items()}
        return growing | {n: held for n, held in self._whole.items() if last_step is None or step_of(n) <= last_step}

    def sync(self) -> None:
        """Return once everything that `append` made is on the disk; call it before a checkpoint is committed."""
        for file in list(self._growing.values()):  # the steps continue, and may add one
            file.sync()

    def note(self, text: str) -> None:
        """Append a line to train.log; a disk too full for it ends nothing."""
        stamp = datetime.now().isoformat(sep=" ", timespec="seconds")
        with suppress(OSError):
            self._log.write(f"{stamp} {text}\n".encode("utf-8", "backslashreplace"))

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
        replace_file(self.inside / CONFIG, [content])

    def write_status(self, status: str, **facts: Any) -> None:
        """Merge facts into run.json: how far the run is and how it ended."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.status |= {"status": status, "updated": now, **facts}
        replace_file(self.inside / STATUS, [json.dumps(self.status, indent=1, allow_nan=False).encode() + b"\n"])

    def close(self) -> None:
        """Release it for other processes."""
        for file in (self._log, *self._growing.values()):
            file.close()
        super().close()


def used(path: Path) -> bool:
    """Return whether a directory holds more than what a process leaves that was killed before it wrote its config.

    Raises:
        UserError: it cannot be read.
    """

    def is_left(entry: Path) -> bool:
        return entry.name == ".lock" or entry.match(_UNFINISHED[0]) or (entry.name == LOG and not entry.stat().st_size)

    try:
        return path.is_dir() and not all(map(is_left, path.iterdir()))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): choose another run_dir") from error


def refuse_used(run_dir: str | None) -> None:
    """Refuse a run_dir that holds something, before any work is done for it.

    Raises:
        UserError: it does, or it is not a directory.
    """
    path = Path(run_dir) if run_dir else ROOT
    if run_dir and used(path):
        line = shell_line("gan", "resume", path)
        raise UserError(f"run_dir={path} is not empty: `{line}` continues a run, or choose another run_dir")
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"run_dir={path}: {existing} is not a writable directory; choose another run_dir")


def create(run_dir: str | None, name: str) -> RunDirectory:
    """Make a run's directory, `run_dir` if it is given, else a new one under runs/, by the time and the run's name.

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
    found, number = path, 1
    while True:
        try:
            found.mkdir()
            return found
        except FileExistsError:
            number += 1
            found = path.with_name(f"{path.name}_{number}")


def slug(text: str) -> str:
    """Return text as part of a directory's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_")


def read_status(path: Path) -> dict[str, Any]:
    """Return run.json's content, {} where there is none; its `sessions`, if any, are a list of mappings.

    Raises:
        UserError: it is not what a run writes.
    """
    try:
        content = untrusted.load(path / STATUS, STATUS_BYTES, untrusted.parse_json)
    except FileNotFoundError:
        return {}
    if not is_status(content):
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
    untrusted.check_tree(path)
    try:
        content = untrusted.load(path / CONFIG, untrusted.CONFIG_BYTES, untrusted.parse_yaml)
    except FileNotFoundError as error:
        if is_export(path):
            raise needs_the_run(path) from error
        raise UserError(f"run={path}: not a run's directory, it has no {CONFIG}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path / CONFIG} is not a config")
    return content


def sweep_of(run: Path) -> str | None:
    """Return the name of the sweep that a run belongs to; None: to none."""
    return run.parent.name if (run.parent / SWEEP).is_file() else None
