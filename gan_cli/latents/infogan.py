"""A prior with latent codes (InfoGAN)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from gan_cli.latents.base import Code, Latent
from gan_cli.rng import Draws


class InfoGAN(Latent):
    """Noise and latent codes (Chen et al. 2016, section 7.2): uniform noise, categorical and continuous codes.

    Args:
        size: dimensions of the noise, uniform on [-1, 1); `auto` is 62 for images, as the paper has it, and 2 for
            points.
        categorical: number of classes of each categorical code.
        continuous: number of continuous codes, each uniform on [-1, 1).

    Raises:
        ValueError: there is no code, or a categorical code has only one class.
    """

    auto_sizes = (62, 2)

    def __init__(
        self,
        size: PositiveInt | Literal["auto"] = 62,
        categorical: tuple[PositiveInt, ...] = (10,),
        continuous: NonNegativeInt = 2,
    ) -> None:
        super().__init__(size)
        if min(categorical, default=2) < 2:
            raise ValueError(f"categorical={list(categorical)}: a code needs at least 2 classes")
        self.codes = tuple(Code("categorical", n) for n in categorical)
        self.codes += (Code("uniform", continuous),) if continuous else ()
        if not self.codes:
            raise ValueError("categorical=[] and continuous=0: no code is left; use latent=uniform for no codes")

    def sample(self, n: int, draws: Draws) -> Tensor:
        """Return n samples z (n, total_size): noise, one-hot categorical codes, continuous codes."""
        parts = [draws.uniform("z", n, self.size) * 2 - 1]
        for i, (kind, size) in enumerate(self.codes):
            u = draws.uniform(f"code{i}", n, 1 if kind == "categorical" else size)
            if kind == "categorical":
                chosen = (u[:, 0] * size).long().clamp_(max=size - 1)
                parts.append((chosen[:, None] == torch.arange(size, device=u.device)).to(u.dtype))
            else:
                parts.append(u * 2 - 1)
        return torch.cat(parts, dim=1)
