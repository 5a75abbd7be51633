from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.types import Override

from gan_cli.cli import main
from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.sweeps import grid, process
from tests import children
from tests.conftest import Ended

TOY = (
    *("model=toy_mlp", "dataset=ring", "model.width=4", "latent.size=2", "train.batch_size=8"),
    *("runtime=cpu", "runtime.precision=fp32", "log.every_steps=2", "log.samples_every_steps=1000"),
)
LOSSES = '''
import json
import os
import pathlib
import signal
import time
from typing import Literal

import torch

from gan_cli.losses.wasserstein import Wasserstein


class Pulled(Wasserstein):
    """Has a curve that is its own argument; while it is listed in `hold.json` its sixth step waits for a signal."""

    def __init__(self, pull: float = 0.0, kind: Literal["fine", "blow"] = "fine"):
        super().__init__()
        self.pull, self.kind, self.calls = pull, kind, 0

    def generator(self, fake, real):
        self.calls += 1
        held = json.loads(pathlib.Path("hold.json").read_text())
        limit = time.monotonic() + 100
        while self.calls == 6 and self.pull in held and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            assert time.monotonic() < limit
            time.sleep(0.01)
        loss = super().generator(fake, real)
        return loss * float("nan") if self.kind == "blow" and self.calls == 3 else loss

    def estimates(self, real, fake):
        return {**super().estimates(real, fake), "pull": torch.tensor(self.pull, dtype=torch.float64)}


class Fails(Wasserstein):
    """Goes wrong at the sixth step of a process, until a file says that the fault is mended; a NaN stays."""

    def __init__(self, kind: Literal["fine", "raise", "kill", "blow", "stop", "late"] = "fine"):
        super().__init__()
        self.kind, self.calls = kind, 0

    def generator(self, fake, real):
        loss = super().generator(fake, real)
        self.calls += 1
        mended = pathlib.Path("mended").exists()
        if self.kind == "stop" and not mended:
            time.sleep(0.05)
        if self.calls != 6:
            return loss
        if self.kind == "blow":
            return loss * float("nan")
        if self.kind == "raise" and not mended:
            raise RuntimeError("the sixth step is cursed")
        if self.kind == "kill" and not mended:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "stop" and not mended:
            os.kill(int(pathlib.Path("sweep.pid").read_text()), signal.SIGTERM)
        return loss
'''
FAILING = ("loss._target_=failing.Fails", "allow_targets=[failing]")


def requested(*overrides: str) -> list[Override]:
    """The overrides of a sweep, with those that its config asks for."""
    composer = Composer.of("train", Arguments([], {}))
    return grid._request(composer, composer.parse(overrides), multirun=True).task


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with losses that fail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    (tmp_path / "failing.py").write_text(LOSSES)
    (tmp_path / "sweep.pid").write_text(str(os.getpid()))
    yield tmp_path
    sys.modules.pop("failing", None)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are forked from a process that has imported everything."""
    children.ensure_server()
    monkeypatch.setattr(process, "start", children.gan)


@pytest.fixture
def gan(place: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process."""

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(list(argv))
        return Ended(code, *capsys.readouterr())

    return run
