"""Penalties on the gradient norm of the critic at the samples themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.constraints.base import Constraint
from gan_cli.constraints.gradient_penalty import gradients
from gan_cli.rng import Draws


class R1(Constraint):
    """gamma / 2 E ||grad f(real)||^2 (Mescheder et al. 2018, equation 9).

    The factor 1/2 is the paper's: a penalty written without it has half of this gamma as its weight.

    Args:
        gamma: the paper's gamma, 10 in its experiments.
        every: critic updates from one penalty to the next; the term is multiplied by this number
            (`lazy regularisation`, Karras et al. 2020, appendix B, has 16).
    """

    penalises = True
    needs_per_image_gradients = True
    on_real: ClassVar[bool] = True
    on_fake: ClassVar[bool] = False

    def __init__(self, gamma: PositiveFloat = 10.0, every: PositiveInt = 1) -> None:
        self.gamma = gamma
        self.every = every

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the penalty for the kinds of samples of this class."""
        kinds = [x for x, penalised in ((real, self.on_real), (fake, self.on_fake)) if penalised]
        return self.gamma / 2 * sum(_mean_square(f, x) for x in kinds)


class R2(R1):
    """gamma / 2 E ||grad f(fake)||^2 (Mescheder et al. 2018, equation 10).

    Args:
        gamma: the paper's gamma.
        every: as for `R1`.
    """

    on_real = False
    on_fake = True


class R1R2(R1):
    """gamma / 2 (E ||grad f(real)||^2 + E ||grad f(fake)||^2), both terms of Mescheder et al. 2018 (equations 9, 10).

    R3GAN (Huang et al. 2024) adds it to a relativistic loss, each term with the weight gamma / 2.

    Args:
        gamma: gamma of each term; R3GAN's depends on the dataset and shrinks during training, here it is constant.
        every: as for `R1`.
    """

    on_fake = True


def _mean_square(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.view_as(x).requires_grad_()  # apart from the samples themselves, on which f may depend too
    return gradients(f, x, create_graph=True).square().sum(dim=1).mean()
