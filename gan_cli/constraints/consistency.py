"""Consistency of the critic under small changes of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from gan_cli.constraints.base import Constraint
from gan_cli.rng import Draws


class Consistency(Constraint):
    """Balanced consistency regularisation, bCR (Zhao et al. 2021, Algorithm 1), for limited data.

    weight_real E (D(T(real)) - D(real))^2 + weight_fake E (D(T(fake)) - D(fake))^2, where T reflects an image in half
    of the cases and moves it by up to `shift` pixels in each direction, its border repeated.

    Args:
        weight_real: lambda of real images, 10 in the paper.
        weight_fake: lambda of fakes, 10 in the paper; 0 is consistency regularisation (Zhang et al. 2020).
        shift: pixels; 4 in the paper.
        every: critic updates from one penalty to the next; the term is multiplied by this number.
    """

    penalises = True

    def __init__(
        self,
        weight_real: NonNegativeFloat = 10.0,
        weight_fake: NonNegativeFloat = 10.0,
        shift: NonNegativeInt = 4,
        every: PositiveInt = 1,
    ) -> None:
        if not weight_real and not weight_fake:
            raise ValueError("weight_real=0 and weight_fake=0: no term is left; use constraint=none")
        self.weights, self.shift, self.every = (weight_real, weight_fake), shift, every

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse points.

        Raises:
            ValueError: the samples are not images.
        """
        if len(sample_shape) != 3:
            raise ValueError("moves images, and the data are points: constraint=none (or gradient_penalty)")

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return both terms."""
        u = draws.uniform("penalty", len(real), 6).unflatten(1, (2, 3)).unbind(dim=1)
        terms = [
            weight * (f(moved(x, chosen, self.shift)) - f(x)).square().mean()
            for weight, x, chosen in zip(self.weights, (real, fake), u, strict=True)
            if weight
        ]
        return torch.stack(terms).sum()


def moved(x: Tensor, u: Tensor, furthest: int) -> Tensor:
    """Return images (N, C, H, W), reflected and moved as u (N, 3) in [0, 1) says, by up to `furthest` pixels."""
    for dim, chosen in ((2, u[:, 1]), (3, u[:, 2])):
        size = x.shape[dim]
        shift = (chosen * (2 * furthest + 1)).long() - furthest
        source = (torch.arange(size, device=x.device) - shift[:, None]).clamp(0, size - 1)
        if dim == 3:
            source = torch.where(u[:, :1] < 0.5, size - 1 - source, source)
        along = [len(x), *(size if d == dim else 1 for d in (1, 2, 3))]
        x = x.gather(dim, source.view(along).expand_as(x))
    return x
