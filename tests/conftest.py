from __future__ import annotations

import functools
import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, settings
from omegaconf import OmegaConf

from gan_cli.cli import main
from gan_cli.config.schema import RunConfig
from gan_cli.config.validate import check
from tests import composing
from tests.composing import CONF
from tests.helpers import alone

OF_TASKS = {  # options that need a task whose generator reads a picture; tests/tasks tries them
    "loss": {"none"},
    "latent": {"none"},
    "model": {"srresnet", "unet", "resnet_translator"},
}


def options(group: str) -> list[str]:
    """The options of a group that run with task=generate."""
    return sorted({path.stem for path in (CONF / group).glob("*.yaml")} - OF_TASKS.get(group, set()))


def companions(group: str, option: str) -> list[str]:
    """The overrides that an option needs beside it, where the defaults do not suit it."""
    restore = ["task=restore", "dataset.image_size=32"]
    if group == "degradation":
        return [*restore, "model=unet"] if option not in ("grey", "downsample") else restore + OF_DEGRADATION[option]
    if (group, option) == ("task", "cycle"):
        return ["dataset@dataset_b=fashion_mnist_10k"]
    if (group, option) == ("schedule", "r3gan"):
        return ["loss=r3gan"]
    if option in OF_TASKS.get(group, ()):
        return restore if option == "srresnet" or group != "model" else [*restore, "degradation=noise"]
    return []


OF_DEGRADATION = {"grey": ["model=unet", "dataset=stacked"], "downsample": []}
LOSSES = options("loss")
TINY = ("model.width=4", "train.batch_size=8", "latent.size=6")


def pytest_configure() -> None:
    """Look for no garbage while everything is imported and collected, and compose with a memory."""
    gc.disable()
    composing.remember()


def pytest_collection_finish() -> None:
    """Leave what is there now out of every search for garbage: going through it takes a tenth of the tests' time."""
    gc.freeze()
    gc.enable()


# On a busy machine hypothesis would fail a test for the time that its examples take.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

# A shell starts its background jobs with SIGINT ignored, and so would be whatever the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks on a shared machine: more threads only wait for each other. No table is cut to a terminal."""
    torch.set_num_threads(1)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all test processes; what each of them needs is made by the first: under `helpers.alone`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def config_of() -> Callable[..., RunConfig]:
    """Compose a run's config as `gan train OVERRIDES` does, without running it."""
    return _config


@functools.cache
def _config(*overrides: str) -> RunConfig:
    return check("train", plain(*overrides))


def plain(*overrides: str) -> dict[str, Any]:
    """The values of a run's config, unchecked."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=["runtime=cpu", "runtime.threads=1", *overrides])
    return OmegaConf.to_container(config, resolve=True)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def gan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process, in an empty directory; modules that it imports from there are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(list(argv))
        return Ended(code, *capsys.readouterr())

    before = set(sys.modules)
    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


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


SMALL = ("runtime=cpu", "runtime.threads=1", "train.steps=1", "train.batch_size=8", "log.sample_count=4")
IMAGES = ("model=mlp", "model.width=4", "dataset.image_size=28")
POINTS = ("model=toy_mlp", "model.width=4", "dataset=ring")
PICTURES = ("dataset.image_size=16", "dataset.limit=40", "model.width=4", "model.generator.blocks=1")
RUNS = {
    "clothes": ("loss=wgan", *IMAGES, "train.ema_halflife_images=8"),
    "classes": ("loss=wgan_gp", "condition=concat", *IMAGES),
    "codes": ("loss=infogan", *IMAGES),
    "memorised": ("loss=wgan", *IMAGES, "dataset.limit=50"),
    "ring": ("loss=wgan_gp", *POINTS),
    "line": ("loss=nonsaturating", "model=toy_tanh", "dataset=gaussian_mixture_1d"),
    "enlarged": ("task=restore", *PICTURES),
    "filled": ("task=restore", "degradation=mask", "model=unet", "model.critic.halvings=1", *PICTURES[:-1]),
    "coloured": ("task=restore", "degradation=grey", "dataset=stacked", "loss=none", *PICTURES),
    "translated": (
        "task=cycle",
        *("dataset_b=fashion_mnist_10k", "dataset_b.image_size=16", "dataset_b.limit=40", "model.critic.halvings=1"),
        *PICTURES,
    ),
    "stacked": ("loss=wgan", "model=mlp", "model.width=4", "dataset=stacked", "dataset.image_size=28"),
}


@pytest.fixture
def run_of(shared: Path, tmp_path: Path) -> Callable[[str], str]:
    """Copy one of RUNS, of one step; the first test that asks trains it, so ask before anything is patched."""

    def copied(name: str) -> str:
        with alone(shared / f"{name}.lock"):
            if not (shared / name).exists():
                assert main(["train", *SMALL, *RUNS[name], f"run_dir={shared / name}"]) == 0
        return str(shutil.copytree(shared / name, tmp_path / name))

    return copied
