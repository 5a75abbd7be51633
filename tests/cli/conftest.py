from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gan_cli import sources
from gan_cli.cli import main


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def gan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    sources.load.cache_clear()

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(list(argv))
        return Ended(code, *capsys.readouterr())

    yield run
    sources.load.cache_clear()


@pytest.fixture
def refused(gan: Callable[..., Ended], tmp_path: Path) -> Callable[..., str]:
    """Run a command line that must end in one line and exit code 2, with nothing written; return the line."""

    def run(*argv: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        ended = gan(*argv)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert ended.err.startswith("gan: ")
        assert ended.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return ended.err.removeprefix("gan: ").removesuffix("\n")

    return run
