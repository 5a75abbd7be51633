"""Processes that train one run, forked where everything is imported already."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan_cli.cli import main
from tests.forkserver import ensure_server


def _member(environment: Mapping[str, str], argv: list[str], folder: Path, output: Path) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    sys.stdout = sys.stderr = open(output, "w", buffering=1)  # noqa: SIM115
    sys.exit(main(argv))


class Started:
    """They have the environment that torchrun gives."""

    def __init__(self, folder: Path, argv: Sequence[str], size: int = 2) -> None:
        ensure_server()
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        context = multiprocessing.get_context("forkserver")
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
        self.outputs = [folder / f"output_{rank}" for rank in range(size)]
        self.members = [
            context.Process(
                target=_member,
                args=(
                    {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(size)},
                    list(argv),
                    folder,
                    self.outputs[rank],
                ),
            )
            for rank in range(size)
        ]
        for member in self.members:
            member.start()

    def codes(self) -> list[int | None]:
        """Wait for their ends."""
        for member in self.members:
            member.join(120)
        return [member.exitcode for member in self.members]
