"""A trained run to analyse: its networks, its data and an extractor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gan_cli.config.command_schemas import GeneratorConfig
from gan_cli.data.source import RealData
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.training.sampling import generate
from gan_cli.training.state import TrainState

Demand = Literal["none", "wanted", "needed"]  # of data and an extractor


class Look(NamedTuple):
    """A run that a command analyses.

    Attributes:
        path: its directory.
        state: its restored networks.
        network: the requested generator: its last weights or their moving average.
        shape: shape of its samples, (C, H, W) or (D,).
        data: the opened data, one sample per batch; None if the command does not need them, or if they are optional and
            missing.
        extractor: a loaded extractor; None for points, without data, and if it is optional and not available.
        lacking: why the optional data or extractor are missing, or ''.
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
        """The device of the networks."""
        return next(self.state.game.parameters()).device

    def z(self, n: int, seed: int) -> Tensor:
        """Return the z (n, size) of the first n samples that `gan sample` draws with this seed."""
        return self.state.game.latent.sample(n, Draws(self.device, seed, "sample"))

    def draw(self, z: Tensor, y: Tensor | None = None, batch_size: int = 250, what: str = "samples") -> Tensor:
        """Return the samples (n, ...) for z (n, size) and labels y, in float32 and not rounded.

        Args:
            z: as long as the prior's z.
            y: labels (n,), if the run has a condition.
            batch_size: number of samples at a time.
            what: name of the samples in the progress bar.
        """
        parts = generate(self.state.game, self.network, z, y, batch_size)
        batches = math.ceil(len(z) / batch_size)
        return torch.cat(list(tqdm(parts, what, batches, unit="batch", disable=None, leave=False)))

    def protocol(self, config: GeneratorConfig) -> dict[str, Any]:
        """Return the protocol of a result: the run, its generator, how it is sampled, the extractor."""
        psi = getattr(self.state.game.latent, "psi", None)
        found = {
            "run": str(self.path),
            "step": self.state.step,
            "weights": "raw" if self.network is self.state.game.generator else "ema",
            "seed": config.seed,
            "truncation": "none" if psi is None else f"every number of z within {psi}",
        }
        return found | (protocol_of(self.extractor) if self.extractor else {})


def protocol_of(extractor: Extractor) -> dict[str, str]:
    """Return what scores in an extractor's space depend on."""
    weights = "no weights" if extractor.sha256 is None else f"weights' SHA-256 {extractor.sha256}"
    return {"extractor": f"{extractor.name}, {weights}", "resize": extractor.resize}
