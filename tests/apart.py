"""Code in a process of its own, forked where everything is imported already."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.forkserver import ensure_server


class Ended(NamedTuple):
    """How it ended, as `subprocess` names it."""

    returncode: int | None
    stdout: str
    stderr: str


class Apart:
    """What `subprocess.Popen([sys.executable, "-c", code, *arguments])` is, without its imports."""

    def __init__(self, code: str, *arguments: object) -> None:
        ensure_server()
        self._outputs = tempfile.TemporaryDirectory()
        self._process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(code, [*map(str, arguments)], dict(os.environ), os.getcwd(), self._outputs.name)
        )
        self._process.start()

    def end(self, seconds: float = 60) -> Ended:
        """Wait for it."""
        self._process.join(seconds)
        code = self._process.exitcode
        self._process.kill()
        with self._outputs as folder:
            return Ended(code, *(Path(folder, name).read_text() for name in ("1", "2")))


def run(code: str, *arguments: object) -> Ended:
    """Run code with these arguments and wait for its end."""
    return Apart(code, *arguments).end()


def _run(code: str, arguments: list[str], environment: Mapping[str, str], folder: str, outputs: str) -> None:
    for stream in (1, 2):
        os.dup2(os.open(f"{outputs}/{stream}", os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
