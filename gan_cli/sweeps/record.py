"""What a sweep's directory says: its jobs, and how each of them ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gan_cli.core import untrusted
from gan_cli.core.files import replace_file
from gan_cli.core.held import Held
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError
from gan_cli.runs.directory import SWEEP

RECORD, LOGS, STUDY = SWEEP, "logs", "study.journal"
_BYTES = 2**26
_WRITES = 50  # of sweep.json while a command runs, at most: each is as long as there are jobs


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)  # an earlier version wrote more


class Job(_Checked):
    """One run of a sweep."""

    name: str  # of its directory and its log
    label: str = ""  # the overrides in which it differs from the other jobs
    overrides: list[str] = []  # all of them, as `gan train` takes them
    identity: str  # a digest of the settings that make it the run it is
    run_dir: str
    log: str  # what its processes printed
    total_steps: int = 1  # where it ends
    threads: int | None = None  # that it gets where `runtime.threads` is left to us; None: the overrides say
    any_gpu: bool = True  # it runs on whichever GPU it is given; False: the overrides name a device
    state: Literal["waiting", "running", "finished", "failed", "interrupted", "pruned"] = "waiting"
    attempts: int = 0  # processes so far
    exit_code: int | None = None  # of the last process; minus the signal that ended it
    reason: str = ""  # why it did not finish
    trial: int | None = None  # its number in the study of a search, where an earlier version noted it

    @property
    def started(self) -> bool:
        """It has had a process; after a kill of the sweep its log alone may say so."""
        return self.attempts > 0 or Path(self.log).exists()


class Record(_Checked):
    """A sweep: the content of its sweep.json."""

    exit_code: int | None = None  # of the last command that ran it; None while it runs
    command: list[str]  # its arguments
    jobs: list[Job]  # of every command that ran it so far
    search: dict[str, Any] | None = None  # what makes a search the one it is; None: a grid


class Folder:
    """A sweep's directory, held by this process alone until it is closed.

    Args:
        path: the directory; made where it does not exist.
        search: what makes a search the one it is; None: a grid.

    Attributes:
        before: the jobs of earlier commands.

    Raises:
        UserError: it is not this sweep's, cannot be made or written, or another process holds it.
    """

    def __init__(self, path: Path, search: Mapping[str, Any] | None) -> None:
        self.path, self._search, self._unwritten = path, search, 0
        _jobs(path, search)  # refuses what is not this sweep, before anything is written there
        try:
            (path / LOGS).mkdir(parents=True, exist_ok=True)
            self._held = Held(path)
        except BlockingIOError as error:
            raise UserError(
                f"{path} is being run by another process: wait for it, or choose another sweep.name"
            ) from error
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}): choose another sweep.name") from error
        self.before = _jobs(path, search)

    def new_job(self, name: str, identity: str) -> Job:
        """Return a job that has a directory of its own in the sweep's, and a log."""
        log = self.path / LOGS / f"{name}.log"
        return Job(name=name, identity=identity, run_dir=str(self.path / name), log=str(log))

    def begin(self, jobs: list[Job], command: Sequence[str]) -> None:
        """Write what this command will run, behind those jobs of earlier commands that it leaves out."""
        mine = {job.identity for job in jobs}
        others = [job for job in self.before if job.identity not in mine]
        for job in others:
            job.state = "interrupted" if job.state == "running" else job.state
        self._now = Record(command=[*command], jobs=[*others, *jobs], search=self._search)
        self.write()

    def job_ended(self) -> None:
        """Write how the jobs are, unless few of them have ended since the last time."""
        self._unwritten += 1
        if self._unwritten * _WRITES >= len(self._now.jobs):
            self.write()

    def write(self, exit_code: int | None = None) -> None:
        """Write how the jobs are, and how this command ended; None: it runs."""
        self._now.exit_code, self._unwritten = exit_code, 0
        replace_file(self._held.inside / RECORD, [json.dumps(self._now.model_dump(), indent=1).encode() + b"\n"])

    def close(self) -> None:
        """Release it for other processes."""
        self._held.close()


def _jobs(folder: Path, search: Mapping[str, Any] | None) -> list[Job]:
    """Return the jobs that a sweep's directory knows; [] where there is no sweep yet, and nothing else.

    Raises:
        UserError: it cannot be read, or the directory holds another sweep or something else.
    """
    path = folder / RECORD
    try:
        record = Record.model_validate(untrusted.parse_json(untrusted.read(path, _BYTES)))
    except FileNotFoundError:
        if folder.exists() and not {entry.name for entry in folder.iterdir()} <= {".lock", LOGS, STUDY}:
            raise UserError(f"{folder} holds something other than a sweep: choose another sweep.name") from None
        return []
    except (OSError, ValueError) as error:
        reason = one_line(error)[:200]
        raise UserError(f"{path} is not a sweep's record ({reason}): choose another sweep.name") from error
    then, now = record.search or {"metric": None}, search or {"metric": None}  # a grid has none
    for key in {**then, **now}:
        if then.get(key) != now.get(key):
            differs = f"{key}: {show(then.get(key))} then, {show(now.get(key))} now"
            raise UserError(f"{folder} is another sweep ({differs}): choose another sweep.name")
    return record.jobs
