"""What is timed: a config, the networks it makes, and pictures of the size and number of channels that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from gan_cli.config.schema import RunConfig
from gan_cli.config.tree import conf_dir
from gan_cli.config.validate import validate
from gan_cli.data import prepared
from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.loader import Order, Resident
from gan_cli.data.source import Source
from gan_cli.session import build, engines, runtime
from gan_cli.training.state import TrainState

Step = Callable[[], None]


class Case(NamedTuple):
    """A checked config and the shape (C, S, S) of its images."""

    plan: build.Plan
    shape: tuple[int, int, int]

    def state(self) -> TrainState:
        """Build networks and optimizers; the same weights each time."""
        return self.plan.state_for(self.shape, 0)


def case(loss: str, size: int, channels: int, overrides: Sequence[str] = ()) -> Case:
    """Check `gan train loss=LOSS model=dcgan dataset.image_size=SIZE OVERRIDES`, and set threads as it would."""
    config = config_of([f"loss={loss}", "model=dcgan", f"dataset.image_size={size}", *overrides])
    plan = build.check(config, sample_shape=(channels, size, size))
    runtime.apply(plan.config.runtime)
    return Case(plan, (channels, size, size))


def config_of(overrides: Sequence[str]) -> RunConfig:
    """Return the config of `gan train OVERRIDES`."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return validate("train", compose("train", overrides=list(overrides)), overrides)


def pictures(channels: int) -> np.ndarray:
    """Return the images of Fashion-MNIST that the package carries, (10000, 28, 28, channels) uint8, grey."""
    images = FashionMNIST10k(image_size=28).collect().images
    return np.ascontiguousarray(np.repeat(images.transpose(0, 2, 3, 1), channels, axis=3))


def resident(case: Case) -> Source:
    """Return these images as `gan` holds them: resized once, uint8, on the training device."""
    found = FashionMNIST10k(image_size=case.shape[-1]).collect()
    rows = np.arange(len(found))
    images = np.repeat(prepared.in_memory(found, rows).images, case.shape[0], axis=1)
    config, device = case.plan.config, case.plan.device
    order = Order(len(rows), config.train.batch_size, config.seed, "train", device)
    return Resident(images, rows, None, order, device)


def ours(case: Case, source: Source, state: TrainState | None = None, wait: bool = True) -> Step:
    """Return our step: the engine's, whose logs nobody reads.

    Args:
        case: the config.
        source: real samples.
        state: what is trained; None: a new one.
        wait: return when a GPU has done it.
    """
    plan, state = case.plan, state or case.state()
    run = engines.make(plan.config, plan.parts.updates, SimpleNamespace(train=source), plan.device)

    def step() -> None:
        run(state)
        state.step += 1
        if wait and plan.device.type == "cuda":
            torch.cuda.synchronize()

    return step
