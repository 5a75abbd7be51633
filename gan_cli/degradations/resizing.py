"""Images with fewer pixels."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan_cli.degradations.base import Degradation, resized
from gan_cli.rng import Draws


class Downsample(Degradation):
    """Fewer pixels: the source of super-resolution (Ledwig et al. 2017).

    Args:
        factor: how many times fewer in each direction.
        filter: `bicubic`, antialiased as in Pillow and Matlab; `box`, the mean of each factor x factor square.
    """

    baseline = "bicubic interpolation"

    def __init__(self, factor: Literal[2, 4, 8] = 4, filter: Literal["bicubic", "box"] = "bicubic") -> None:
        self.factor, self.filter = factor, filter

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return (C, H / factor, W / factor)."""
        channels, height, width = sample_shape
        if height % self.factor or width % self.factor:
            sides = [max(8, side // self.factor * self.factor) for side in (height, width)]
            fitting = sides[0] if height == width else f"[{sides[0]},{sides[1]}]"
            raise ValueError(
                f"factor={self.factor} does not divide images of {height} x {width}: dataset.image_size={fitting}"
            )
        return channels, height // self.factor, width // self.factor

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the small images, in [-1, 1]."""
        if self.filter == "box":
            return avg_pool2d(x, self.factor)
        return resized(x, (x.shape[2] // self.factor, x.shape[3] // self.factor))
