"""Small games that tests train, and a lock."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.data.source import Batch, RealData
from gan_cli.losses.base import CriticOutput
from gan_cli.rng import generator


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time is inside."""
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def output(*scores: float) -> CriticOutput:
    """A critic's output of these scores, which require a gradient."""
    score = torch.tensor(scores, requires_grad=True)
    return CriticOutput(score, score[:, None], {}, score[:, None])


class Noise:
    """Real samples that are plain noise: batch k depends on (seed, name, k) alone."""

    size = None

    def __init__(self, shape: tuple[int, ...], batch_size: int, seed: int = 0, name: str = "train") -> None:
        self.shape, self.batch_size, self.key = shape, batch_size, (seed, name)

    def draw(self, k: int) -> tuple[Tensor, ...]:
        return (torch.rand(self.batch_size, *self.shape, generator=generator("cpu", *self.key, k)),)

    def batch(self, x: Tensor) -> Batch:
        return Batch(x * 2 - 1, None)


class Labelled(Noise):
    """Noise whose labels are 0, 1, 2, 0, ..."""

    def batch(self, x: Tensor) -> Batch:
        return super().batch(x)._replace(y=torch.arange(len(x)) % 3)


def noise_data(shape: tuple[int, ...], batch_size: int, seed: int = 0) -> RealData:
    train, heldout = (Noise(shape, batch_size, seed, name) for name in ("train", "heldout"))
    return RealData(shape, None, train, heldout, "noise", lambda n: Noise(shape, n).batch(*Noise(shape, n).draw(0)))
