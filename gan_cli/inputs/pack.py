"""Packing: the critic judges several samples at once."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gan_cli.inputs.base import Input
from gan_cli.rng import Draws


class Pack(Input):
    """PacGAN (Lin et al. 2018, section 3): the critic reads `pack` samples of one kind, joined along their channels.

    A batch has batch_size / pack packs. A generator that lacks modes makes packs that are too alike.

    Args:
        pack: samples a pack, the paper's m; 2 to 4 there.
    """

    def __init__(self, pack: Annotated[int, Field(ge=2, le=16)] = 2) -> None:
        self.pack = pack

    def critic_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a pack."""
        return (self.pack * sample_shape[0], *sample_shape[1:])

    def __call__(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return the packs (N / pack, ...) of samples (N, ...); what fills none is left out."""
        if len(x) < self.pack:  # few held-out samples
            x = x[torch.arange(self.pack, device=x.device) % len(x)]
        whole = x[: len(x) // self.pack * self.pack]
        return whole.unflatten(0, (-1, self.pack)).flatten(1, 2)

    def alone(self, x: Tensor) -> Tensor:
        """Return each sample (N, ...) in a pack with copies of itself."""
        return x.repeat(1, self.pack, *[1] * (x.dim() - 2))
