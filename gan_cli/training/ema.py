"""Exponential moving average of a generator's weights."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.models.layers import norms_of


class MovingAverage:
    """Exponential moving average of a network's parameters; its buffers are copied.

    Args:
        network: what is averaged; the average begins as a copy of it.
        halflife_images: generated images after which a weight's share has halved.
        batch_size: images an update.
        statistics: of its batch norms: `copy` those of the network; or `average` them as the weights.
    """

    def __init__(
        self,
        network: nn.Module,
        halflife_images: float,
        batch_size: int,
        statistics: Literal["copy", "average"] = "copy",
    ) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = 0.5 ** (batch_size / halflife_images)
        norms = norms_of(self.network) if statistics == "average" else []
        named = ((name, module) for name, module in self.network.named_modules() if module in norms)
        self._averaged = {f"{name}.{of_inputs}" for name, _ in named for of_inputs in ("running_mean", "running_var")}

    @torch.no_grad()
    def update(self, network: nn.Module, towards: float | Tensor | None = None) -> None:
        """Move the average towards the network.

        Args:
            network: what is averaged.
            towards: the share of the way; None: as the half-life says.
        """
        share = self.share() if towards is None else towards
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), share)
        for (name, mine), theirs in zip(self.network.named_buffers(), network.buffers(), strict=True):
            if name in self._averaged:
                mine.lerp_(theirs, share)
            else:
                mine.copy_(theirs)

    def share(self, factor: float = 1.0) -> float:
        """Return the share of the way that an update moves, for a half-life multiplied by a factor."""
        return 1 - self.decay ** (1 / factor) if factor else 1.0
