"""A job's process that is forked where everything is imported already: it starts in a moment."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from pathlib import Path


class Forked:
    """What `subprocess.Popen` is to the pool."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        self._process = context.Process(target=_job, args=(list(argv), log, dict(environment), os.getcwd()))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode


def _job(argv: list[str], log: Path, environment: dict[str, str], folder: str) -> None:
    os.chdir(folder)
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    from gan_cli.cli import main

    os._exit(_code(main, argv))


def _code(main, argv: list[str]) -> int:
    import sys
    import traceback

    try:
        return main(argv)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
