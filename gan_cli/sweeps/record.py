"""What sweep.json says: the jobs of a sweep, and how each of them ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from gan_cli.core import untrusted
from gan_cli.core.files import hold, replace_file
from gan_cli.core.signals import OF_A_COMMAND, Stops
from gan_cli.core.text import one_line
from gan_cli.errors import UserError

RECORD, LOGS, STUDY = "sweep.json", "logs", "study.journal"
_BYTES = 2**26


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)  # an earlier version wrote more


class Job(_Checked):
    """One run of a sweep."""

    name: str  # of its directory and its log
    label: str = ""  # the overrides in which it differs from the other jobs
    overrides: list[str] = []  # all of them, as `gan train` takes them
    identity: str  # a digest of the settings that make it the run it is
    run_dir: str
    own_dir: bool = True  # the sweep chose the directory; False: the overrides did
    log: str  # what its processes printed
    total_steps: int = 1  # where it ends
    threads: int | None = None  # that it gets where `runtime.threads` is left to us; None: the overrides say
    any_gpu: bool = True  # it runs on whichever GPU it is given; False: the overrides name a device
    gpu: str | None = None  # as CUDA_VISIBLE_DEVICES names it; None: on the CPU, or the overrides say
    state: Literal["waiting", "running", "finished", "failed", "interrupted", "pruned"] = "waiting"
    attempts: int = 0  # processes so far
    exit_code: int | None = None  # of the last process; minus the signal that ended it
    reason: str = ""  # why it did not finish
    trial: int | None = None  # its number in the study of a search; None: none yet, or this is a grid


def new_job(folder: Path, name: str, identity: str) -> Job:
    """Return a job that has a directory of its own in the sweep's, and a log."""
    return Job(name=name, identity=identity, run_dir=str(folder / name), log=str(folder / LOGS / f"{name}.log"))


class Record(_Checked):
    """A sweep: the content of its sweep.json."""

    status: Literal["running", "finished", "failed", "interrupted"]  # of the last command that ran it
    exit_code: int | None  # of that command; None while it runs
    command: list[str]  # its arguments
    jobs: list[Job]  # of every command that ran it so far
    search: dict[str, Any] | None = None  # what makes a search the one it is; None: a grid


class Asker(NamedTuple):
    """Who asks for a sweep.

    Attributes:
        command: what sweep.json says of it.
        stops: signals that stop it.
    """

    command: Sequence[str]
    stops: Stops = OF_A_COMMAND


class Swept(NamedTuple):
    """What became of a sweep.

    Attributes:
        code: its exit code.
        lines: what it says at its end.
        path: its directory; None where another launcher than ours ran it.
        jobs: in their order.
    """

    code: int
    lines: Sequence[str] = ()
    path: Path | None = None
    jobs: Sequence[Job] = ()


class Folder:
    """A sweep's directory, held by this process alone until it is closed.

    Raises:
        UserError: it cannot be made or written, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / LOGS).mkdir(parents=True, exist_ok=True)
            self._lock = hold(path)
        except BlockingIOError as error:
            raise UserError(
                f"{path} is being run by another process: wait for it, or choose another sweep.name"
            ) from error
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}): choose another sweep.name") from error

    def write(self, record: Record) -> None:
        """Write sweep.json, all of it or nothing."""
        replace_file(self.path / RECORD, [json.dumps(record.model_dump(), indent=1).encode() + b"\n"])

    def close(self) -> None:
        """Let others have it."""
        self._lock.close()


def read(folder: Path) -> Record | None:
    """Return what sweep.json says; None: there is no sweep yet, and nothing else.

    Raises:
        UserError: it cannot be read, or the directory holds something else.
    """
    path = folder / RECORD
    try:
        return Record.model_validate(untrusted.parse_json(untrusted.read(path, _BYTES)))
    except FileNotFoundError:
        if folder.exists() and not {entry.name for entry in folder.iterdir()} <= {".lock", LOGS, STUDY}:
            raise UserError(f"{folder} holds something else than a sweep: choose another sweep.name") from None
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UserError(f"{path} is not a sweep's record ({one_line(reason)}): choose another sweep.name") from error
