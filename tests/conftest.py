from __future__ import annotations

import copy
import functools
import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from gan_cli.config.schema import RunConfig
from gan_cli.config.validate import check

CONF = Path(__file__).resolve().parents[1] / "conf"


def options(group: str) -> list[str]:
    """The options of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


LOSSES = options("loss")
TINY = ("model.width=4", "train.batch_size=8", "latent.size=6")


def pytest_configure() -> None:
    """Look for no garbage while everything is imported and collected, and read each of the package's configs once."""
    gc.disable()
    _read_once()


def pytest_collection_finish() -> None:
    """Leave what is there now out of every search for garbage: going through it takes a tenth of the tests' time."""
    gc.freeze()
    gc.enable()


# A shell starts its background jobs with SIGINT ignored, and so would be whatever the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _read_once() -> None:
    """Let Hydra parse a file of the package's or of its own once a process: a third of what it takes to compose."""
    read, known = ConfigRepository.load_config, {}
    places = {f"file://{CONF}", "pkg://hydra.conf", "structured://"}

    def load_config(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        sources = tuple(f"{source.scheme()}://{source.path}" for source in self.sources)
        if not places.issuperset(sources):
            return read(self, config_path)
        if (config_path, sources) not in known:
            known[config_path, sources] = read(self, config_path)
        return copy.deepcopy(known[config_path, sources])

    ConfigRepository.load_config = load_config


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks on a shared machine: more threads only wait for each other."""
    torch.set_num_threads(1)


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
