"""Small games that tests train, pictures that they read, what a command wrote, and a lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
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


def random_pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Pictures (n, H, W) or (n, H, W, C), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def write_pictures(folder: Path | str, images: np.ndarray) -> Path:
    """Write images as 000.png, 001.png, ... of a directory; return it."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(Path(folder, f"{i:03}.png"))
    return Path(folder)


def result(out: str) -> dict[str, Any]:
    """The JSON file whose path a command printed last."""
    return json.loads(Path(out.strip().splitlines()[-1]).read_text())


def rows(table: str) -> list[tuple[str, ...]]:
    """The cells of a table of text, between ` | `."""
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in table.splitlines()]


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
