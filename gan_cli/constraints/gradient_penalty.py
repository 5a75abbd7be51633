"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import PositiveFloat
from torch import Tensor

from gan_cli.constraints.base import Constraint
from gan_cli.rng import Draws


class GradientPenalty(Constraint):
    """lambda E (||grad f(x_hat)||_2 - 1)^2, x_hat uniform between real and fake (Gulrajani et al. 2017, equation 3).

    Args:
        weight: the paper's lambda.
    """

    penalises = True
    needs_per_image_gradients = True

    def __init__(self, weight: PositiveFloat = 10.0) -> None:
        self.weight = weight

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the penalty, one interpolation point a pair."""
        epsilon = draws.uniform("penalty", len(real), *[1] * (real.dim() - 1))
        x_hat = torch.lerp(fake.detach(), real.detach(), epsilon).requires_grad_()
        return self.weight * (gradient_norms(f, x_hat, create_graph=True) - 1).square().mean()


def gradient_norms(f: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False) -> Tensor:
    """Return the Euclidean norm (N,) of the gradient of the sum of f's values at each x.

    Args:
        f: samples -> (N,).
        x: samples (N, ...) that require a gradient.
        create_graph: the norms are to be differentiated themselves.
    """
    (gradient,) = torch.autograd.grad(f(x).sum(), x, create_graph=create_graph)
    return gradient.flatten(1).norm(dim=1)
