from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_cli.cli import main
from gan_cli.core.text import print_error
from gan_cli.errors import GanError
from gan_cli.runs import checkpoint
from tests.command_arguments import arguments_for
from tests.helpers import alone

TRAIN = (
    *("train", "dataset=ring", "model=toy_mlp", "model.width=4", "train.batch_size=8", "train.steps=3"),
    "log.every_steps=2",  # so that the last checkpoint holds an open window of averages
    *("log.sample_count=4", "runtime=cpu", "runtime.threads=1", "checkpoint.every_steps=1", "checkpoint.keep=2"),
)
SAMPLE, EVALUATE, RESUME = ("sample",), ("evaluate", "count=20", "w1_count=20"), ("resume", "train.steps=4")


def perform(command: str, run: str | Path, *overrides: str) -> None:
    """Run `gan COMMAND RUN key=value ...` without Hydra, which takes most of the time; errors are raised."""
    function = getattr(importlib.import_module(f"gan_cli.commands.{command}"), command)
    function(*arguments_for(command, str(run), *overrides))


@pytest.fixture(scope="session")
def trained(shared) -> Path:
    """A run of three steps, with the checkpoints of steps 2 and 3."""
    path = shared / "hostile"
    with alone(shared / "hostile.lock"):
        if not path.exists():
            assert main([*TRAIN, f"run_dir={path}"]) == 0
    assert checkpoint.steps(path / "checkpoints") == [3, 2]
    return path


@pytest.fixture
def canary(tmp_path) -> Path:
    """A file outside the working directory, that nothing may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("alive")
    return tmp_path / "outside" / "canary"


@pytest.fixture
def here(tmp_path, monkeypatch, canary) -> Path:
    """An empty working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.setenv("HOSTILE_SECRET", "tops3cret")
    return tmp_path / "here"


@pytest.fixture
def run(here, trained) -> Path:
    """A copy of the run, to be tampered with."""
    return Path(shutil.copytree(trained, here / "run"))


def everything(directory: Path) -> dict[str, bytes | str]:
    """What lies in a directory, links and pipes by their kind."""
    found = {}
    for path in sorted(directory.rglob("*")):
        plain = path.is_file() and not path.is_symlink() and path.stat().st_size < 10**7
        found[str(path)] = path.read_bytes() if plain else str(os.lstat(path).st_mode)
    return found


@pytest.fixture
def refused(here, capsys) -> Callable[..., str]:
    """Run a command line that must end in one line and exit code 2, with nothing outside touched; return the line.

    The commands of a run are called as functions, unless `through_main`.
    `written`: the run directory may have been opened, so what lies in the working directory may differ.
    """

    def refuse(command: str, *words: str | Path, written: bool = False, through_main: bool = False) -> str:
        outside, inside = everything(here.parent / "outside"), everything(here)
        capsys.readouterr()
        if command == "train" or through_main:
            code = main([command, *map(str, words)])
        else:
            with pytest.raises(GanError) as caught:
                perform(command, *words)
            code = caught.value.exit_code
            print_error(caught.value)
        printed = capsys.readouterr()
        *others, last = printed.err.splitlines()
        assert code == 2, printed
        assert last.startswith("gan: "), printed
        assert "Traceback" not in printed.err
        assert "tops3cret" not in printed.err + printed.out
        assert written or all("is skipped" in line for line in others)
        assert everything(here.parent / "outside") == outside
        assert written or everything(here) == inside
        return last.removeprefix("gan: ")

    return refuse


@pytest.fixture
def both(refused, run) -> Callable[..., list[str]]:
    """Sample the run and resume it: each must be refused; return what they say."""
    return lambda **options: [refused(command, run, *words, **options) for command, *words in (SAMPLE, RESUME)]
