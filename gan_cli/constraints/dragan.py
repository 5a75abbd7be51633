"""The gradient penalty of DRAGAN, at points around the data."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.constraints.base import Constraint
from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.rng import Draws


class Dragan(Constraint):
    """lambda E (||grad f(real + delta)||_2 - k)^2, delta ~ N(0, std^2) in every value (DRAGAN, Kodali et al. 2017).

    The authors' code perturbs by half of the batch's standard deviation times two uniform numbers instead; on samples
    that fill [-1, 1] that is about 0.1 in the root mean square. A fixed size leaves the samples of a batch independent.
    f is the unbounded score.

    Args:
        weight: the paper's lambda, 10.
        k: the target of the gradient norm; 1 in the paper.
        std: standard deviation of the perturbation, in the units of the samples.
        every: critic updates from one penalty to the next; the term is multiplied by this number.
    """

    penalises = True
    needs_per_image_gradients = True

    def __init__(
        self,
        weight: PositiveFloat = 10.0,
        k: NonNegativeFloat = 1.0,
        std: PositiveFloat = 0.1,
        every: PositiveInt = 1,
    ) -> None:
        self.weight = weight
        self.k = k
        self.std = std
        self.every = every

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the penalty, with one perturbation for each real sample."""
        near = (real.detach() + self.std * draws.normal("penalty", *real.shape)).requires_grad_()
        return self.weight * (gradient_norms(f, near, create_graph=True) - self.k).square().mean()
