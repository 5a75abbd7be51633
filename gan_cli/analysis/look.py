"""A trained run that is analysed: its networks, its data and an extractor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gan_cli.data.source import RealData
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.training.sampling import generate
from gan_cli.training.state import TrainState

Demand = Literal["none", "wanted", "needed"]  # of data and an extractor


class Look(NamedTuple):
    """A run that a command looks into.

    Attributes:
        path: its directory.
        state: its networks, restored.
        network: the generator that is asked for, or its moving average.
        shape: of its samples, (C, H, W) or (D,).
        data: opened, a sample a batch; None where the command needs none, or only wants them and they are not there.
        extractor: loaded; None for points and without data, and where a command only wants one and none can be had.
        lacking: why there are no data or no extractor although some were wanted, or ''.
    """

    path: Path
    state: TrainState
    network: nn.Module
    shape: tuple[int, ...]
    data: RealData | None
    extractor: Extractor | None
    lacking: str = ""

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.state.game.parameters()).device

    def z(self, n: int, seed: int) -> Tensor:
        """Return the z (n, size) of the n samples that `gan sample` draws with this seed."""
        return self.state.game.latent.sample(n, Draws(self.device, seed, "sample"))

    def draw(self, z: Tensor, y: Tensor | None = None, batch_size: int = 250, what: str = "samples") -> Tensor:
        """Return the samples (n, ...) that z (n, size) and labels y stand for, float32 and unrounded.

        Args:
            z: of the prior's size.
            y: labels (n,), where the run has a condition.
            batch_size: samples at a time.
            what: is drawn, as the progress bar calls it.
        """
        parts = generate(self.state.game, self.network, z, y, batch_size)
        batches = math.ceil(len(z) / batch_size)
        return torch.cat(list(tqdm(parts, what, batches, unit="batch", disable=None, leave=False)))
