"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.constraints.base import Constraint
from gan_cli.core.shapes import is_toy
from gan_cli.rng import Draws


class GradientPenalty(Constraint):
    """lambda E (||grad f(x_hat)||_2 - 1)^2, x_hat uniform between real and fake (Gulrajani et al. 2017, equation 3).

    A weight far above the distances between samples freezes the critic: to reverse its gradient it must pass gradient 0
    at the cost of the whole lambda, so the paper's toy data have a smaller weight.

    Args:
        weight: the paper's lambda; `auto` is the paper's value, 10, and 0.1 for points of at most three dimensions.
        sided: `two` as above; `one` does not penalise norms below 1, lambda E max(0, ||grad f(x_hat)||_2 - 1)^2
            (WGAN-LP, Petzka et al. 2018), here with the same x_hat and weight.
        every: critic updates from one penalty to the next; the term is multiplied by this number.
    """

    penalises = True
    needs_per_image_gradients = True

    def __init__(
        self,
        weight: PositiveFloat | Literal["auto"] = 10.0,
        sided: Literal["two", "one"] = "two",
        every: PositiveInt = 1,
    ) -> None:
        self.weight = weight
        self.sided = sided
        self.target_norm = 1.0 if sided == "two" else None
        self.every = every

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the weight for samples of this shape."""
        return {"weight": (0.1 if is_toy(sample_shape) else 10.0) if self.weight == "auto" else self.weight}

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the penalty, with one interpolation point for each pair."""
        epsilon = draws.uniform("penalty", len(real), *[1] * (real.dim() - 1))
        x_hat = torch.lerp(fake, real, epsilon).requires_grad_()
        excess = gradient_norms(f, x_hat, create_graph=True) - 1
        return self.weight * (excess.clamp_min(0) if self.sided == "one" else excess).square().mean()


def gradients(f: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False) -> Tensor:
    """Return the gradient (N, D) of the sum of f's values at each x, flattened.

    Args:
        f: samples -> (N,).
        x: samples (N, ...) that require a gradient.
        create_graph: whether the gradients will be differentiated.
    """
    (gradient,) = torch.autograd.grad(f(x).sum(), x, create_graph=create_graph)
    return gradient.flatten(1)


def gradient_norms(f: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False) -> Tensor:
    """Return the norm (N,) of the gradient of the sum of f's values at each x; arguments as for `gradients`.

    If f is flat, every derivative of the norm is 0, as torch's first one is; torch's second one, which unrolling needs,
    is NaN there.
    """
    found = gradients(f, x, create_graph)
    flat = (found == 0).all(dim=1)
    return torch.where(flat, 0.0, torch.where(flat[:, None], 1.0, found).norm(dim=1))
