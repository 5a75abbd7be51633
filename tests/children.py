"""Processes that tests start: forked by a server that has imported everything already, so each starts in a moment."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120  # no child takes as long


class Ended(NamedTuple):
    """How a child ended, as `subprocess` names it."""

    returncode: int | None
    stdout: str
    stderr: str


class Child:
    """Calls a function in a process of its own; what it returns is the exit code. The pool of a sweep takes one too.

    Args:
        work: `module:function`, imported there: this process need not import what only children use.
        args: the function's.
        output: takes what is printed, behind what is there.
        errors: takes what is printed on stderr; None: `output` does.
        environment: the whole of it; None: this process's.
        folder: where it works; None: where this process does.
    """

    def __init__(
        self,
        work: str,
        *args: object,
        output: Path,
        errors: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        ensure_server()
        environment = dict(os.environ if environment is None else environment)
        self.process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(work, args, output, errors or output, environment, folder or Path.cwd())
        )
        self.process.start()
        self.pid = self.process.pid

    def poll(self) -> int | None:
        """Return the exit code, minus the signal that ended it; None while it runs."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, seconds: float = SECONDS) -> int | None:
        """Wait for its end and return the exit code; one that takes longer is killed, and None returned."""
        self.process.join(seconds)
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        return code


class Code(Child):
    """What `subprocess.Popen([sys.executable, "-c", code, *arguments])` is, without its imports."""

    def __init__(self, code: str, *arguments: object) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        output, errors = self._outputs
        super().__init__("tests.children:_code", code, [*map(str, arguments)], output=output, errors=errors)

    def ended(self) -> Ended:
        """Wait for its end."""
        with self._folder:
            return Ended(self.end(), *(path.read_text() for path in self._outputs))


def run_code(code: str, *arguments: object) -> Ended:
    """Run code with these arguments and wait for its end."""
    return Code(code, *arguments).ended()


def fresh(
    *arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run an interpreter that has imported nothing yet; it must end with this exit code.

    Args:
        *arguments: of Python, such as "-c" and code.
        folder: where it works; None: where this process does.
        environment: the whole of it; None: this process's.
        code: its exit code.
    """
    command = [sys.executable, *map(str, arguments)]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=10 * SECONDS)
    assert ended.returncode == code, ended.stderr
    return ended


class Ranks:
    """Processes that train one run together, in the environment that torchrun gives.

    Args:
        folder: takes their outputs, `output_0` and so on.
        argv: of `gan`.
        size: how many.
    """

    def __init__(self, folder: Path, argv: Sequence[str], size: int = 2) -> None:
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        shared |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
        self.outputs = [folder / f"output_{rank}" for rank in range(size)]
        for path in self.outputs:
            path.unlink(missing_ok=True)
        self.members = [
            gan(argv, output, {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, folder)
            for rank, output in enumerate(self.outputs)
        ]

    def codes(self) -> list[int | None]:
        """Wait for their ends."""
        return [member.end() for member in self.members]


def gan(argv: Sequence[str], output: Path, environment: Mapping[str, str], folder: Path | None = None) -> Child:
    """Start `gan ARGV`, as `sweeps.process.start` does."""
    return Child("tests.children:_gan", list(argv), output=output, environment=environment, folder=folder)


def ensure_server() -> None:
    """Start the process that imports everything once and forks the children; once a test process."""
    multiprocessing.set_forkserver_preload(["tests.faults.warm"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _run(
    work: str, args: tuple[object, ...], output: Path, errors: Path, environment: Mapping[str, str], folder: Path
) -> None:
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    module, _, name = work.partition(":")
    sys.exit(getattr(importlib.import_module(module), name)(*args))


def _code(code: str, arguments: list[str]) -> None:
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})


def _gan(argv: list[str]) -> int:
    from gan_cli.cli import main

    os.setsid()
    return main(argv)
