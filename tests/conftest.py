from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"


def options(group: str) -> list[str]:
    """The options of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


LOSSES = options("loss")
TINY = ("model.width=4", "train.batch_size=8", "latent.size=6")


def pytest_configure() -> None:
    """Look for no garbage while everything is imported and collected."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what is there now out of every search for garbage: going through it takes a tenth of the tests' time."""
    gc.freeze()
    gc.enable()


# A shell starts its background jobs with SIGINT ignored, and so would be whatever the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks on a shared machine: more threads only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture
def settings_of() -> Callable[..., dict[str, Any]]:
    """Compose a run's settings as `gan train OVERRIDES` does, without running it."""

    def compose_settings(*overrides: str) -> dict[str, Any]:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("train", overrides=["runtime=cpu", "runtime.threads=1", *overrides])
        settings = OmegaConf.to_container(config, resolve=True)
        settings.pop("sweep")  # of the command; no part of a run
        return settings

    return compose_settings
