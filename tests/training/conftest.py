from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gan_cli.cli import main


@pytest.fixture
def gan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable:
    """Run a command line in this process, in an empty directory; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(argv))
        return (code, *capsys.readouterr())

    return run
