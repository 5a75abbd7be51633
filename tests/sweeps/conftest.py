from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from hydra.core.override_parser.types import Override

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.sweeps import process, sweep
from tests import children
from tests.conftest import Ended

TOY = (
    *("model=toy_mlp", "dataset=ring", "model.width=4", "latent.size=2", "train.batch_size=8", "runtime=cpu"),
    *("runtime.precision=fp32", "runtime.threads=1", "log.every_steps=2", "log.samples_every_steps=1000"),
)
FAILING = (*TOY, "loss._target_=failing.Fails", "allow_targets=[failing]")
LOSS = '''
import os
import pathlib
import signal
import time
from typing import Literal

import torch

from gan_cli.losses.wasserstein import Wasserstein

MENDED = pathlib.Path("mended")


class Fails(Wasserstein):
    """Goes wrong at the sixth step of a process, until a file says that the fault is mended; a NaN stays.

    Has a curve that is its own argument.
    """

    def __init__(
        self, kind: Literal["fine", "raise", "kill", "blow", "stop", "late"] = "fine", pull: float = 0.0
    ) -> None:
        super().__init__()
        self.kind, self.pull, self.calls = kind, pull, 0

    def generator(self, fake, real):
        loss = super().generator(fake, real)
        self.calls += 1
        kind = "fine" if self.kind != "blow" and MENDED.exists() else self.kind
        if kind == "stop":
            time.sleep(0.05)
        if self.calls != 6:
            return loss
        if kind == "blow":
            return loss * float("nan")
        if kind == "raise":
            raise RuntimeError("the sixth step is cursed")
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "stop":
            os.kill(int(pathlib.Path("sweep.pid").read_text()), signal.SIGTERM)
        return loss

    def estimates(self, real, fake):
        return {**super().estimates(real, fake), "pull": torch.tensor(self.pull, dtype=torch.float64)}
'''


def requested(*overrides: str) -> list[Override]:
    """The overrides of a sweep, with those that its config asks for."""
    composer = Composer.of("train", Arguments([], {}))
    return sweep.request_of(composer, composer.parse(overrides), multirun=True).task


@pytest.fixture
def place(gan: Callable[..., Ended], tmp_path: Path) -> Path:
    """The directory that `gan` works in, with a loss that fails."""
    (tmp_path / "failing.py").write_text(LOSS)
    (tmp_path / "sweep.pid").write_text(str(os.getpid()))
    return tmp_path


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are forked from a process that has imported everything."""
    children.ensure_server()
    monkeypatch.setattr(process, "start", children.gan)


def record(place: Path, name: str) -> dict:
    """What sweep.json says."""
    return json.loads((place / "runs" / name / "sweep.json").read_text())


def by_name(place: Path, name: str) -> dict[str, dict]:
    return {job["name"]: job for job in record(place, name)["jobs"]}


def wait_until(happened: Callable[[], bool], sweep: Popen | None = None, log: Path | None = None) -> None:
    """Wait for an event, while this process of a sweep goes on."""
    limit = time.monotonic() + 600
    while not happened():
        assert sweep is None or sweep.poll() is None, log.read_text()
        assert time.monotonic() < limit
        time.sleep(0.02)
