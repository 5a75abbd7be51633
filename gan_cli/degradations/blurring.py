"""Noisy and blurred images."""

from __future__ import annotations

import math

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_cli.degradations.base import Degradation
from gan_cli.rng import Draws


class Noise(Degradation):
    """Gaussian noise on every value: the source of denoising.

    Args:
        std: its standard deviation, in units of [-1, 1].
    """

    def __init__(self, std: PositiveFloat = 0.3) -> None:
        self.std = std

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the noisy images, cut to [-1, 1]."""
        return (x + self.std * draws.normal("degradation", *x.shape)).clamp(-1, 1)


class Blur(Degradation):
    """A Gaussian blur: the source of deblurring.

    Args:
        std: its standard deviation in pixels; it is cut at three of them.
    """

    def __init__(self, std: PositiveFloat = 1.5) -> None:
        self.std = std

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        if self._reach >= min(sample_shape[1:]):
            raise ValueError(f"std={self.std} reaches over the whole image; use a smaller degradation.std")
        return super().source_shape(sample_shape)

    @property
    def _reach(self) -> int:
        return math.ceil(3 * self.std)

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the blurred images."""
        reach = self._reach
        at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        line = torch.exp(-(at**2) / (2 * self.std**2))
        line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
        across = conv2d(pad(x, (reach, reach, 0, 0), mode="reflect"), line, groups=x.shape[1])
        return conv2d(pad(across, (0, 0, reach, reach), mode="reflect"), line.mT, groups=x.shape[1])
