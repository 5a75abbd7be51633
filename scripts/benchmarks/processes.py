"""Fresh processes, each in a temporary directory and without settings of OpenMP's and of Python's bytecode."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHILDREN = Path(__file__).parent / "children"


def environment() -> dict[str, str]:
    """Return this process's environment without OpenMP's settings: each process finds its own.

    Bytecode is kept, as it is of an installed package: to compile the package's files again takes 0.1 s.
    """
    left_out = ("OMP_", "GOMP_", "KMP_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(left_out)}


def child(name: str, *words: object) -> list[str]:
    """Return the command of a script in children/."""
    return [sys.executable, str(CHILDREN / f"{name}.py"), *map(str, words)]


def run(command: Sequence[str], **more: str) -> str:
    """Run a command to its end in a temporary directory and return what it prints.

    Args:
        command: its words.
        more: environment variables.

    Raises:
        RuntimeError: it failed; what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(command, cwd=folder, env=environment() | more, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ran.stderr}")
    return ran.stdout


class Steps:
    """A script of children/ that takes a step for each line of its input and prints a line when it is done.

    Args:
        name: the script.
        words: its arguments.
    """

    def __init__(self, name: str, *words: object) -> None:
        self.process = subprocess.Popen(
            child(name, *words), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.line = ""

    def __enter__(self) -> Steps:
        """Wait until the script is ready."""
        self._wait()
        return self

    def __exit__(self, *error: object) -> None:
        """End the script."""
        self.process.stdin.close()
        self.process.wait()

    def __call__(self) -> None:
        """Take a step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._wait()

    def _wait(self) -> None:
        self.line = self.process.stdout.readline()
        if not self.line:
            raise RuntimeError(f"{' '.join(self.process.args)}: ended with {self.process.wait()}")
