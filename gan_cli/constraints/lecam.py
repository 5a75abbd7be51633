"""LeCam regularisation."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.constraints.base import Constraint
from gan_cli.core.curves import Curve


class LeCam(nn.Module, Constraint):
    """weight (E (D(real) - a_fake)^2 + E (D(fake) - a_real)^2) (Tseng et al. 2021, equation 3), for limited data.

    a_real and a_fake are moving averages of the critic's scores of real and of fake samples; the averages begin at the
    first update, without a bias towards 0. The authors' code leaves out what is on the far side of the average (a ReLU
    before each square), which the paper's equation does not.

    Args:
        weight: the paper's lambda, 0.3 for CIFAR with the hinge loss.
        decay: of the averages, an update.
        every: critic updates from one penalty to the next; the term is multiplied by this number.
    """

    penalises = True
    of_scores = True
    learns = True
    logged = (
        Curve("critic/average_real", "score", "neither", "moving average of the scores of real samples"),
        Curve("critic/average_fake", "score", "neither", "moving average of the scores of fakes"),
    )

    def __init__(
        self,
        weight: PositiveFloat = 0.3,
        decay: Annotated[float, Field(gt=0, lt=1)] = 0.99,
        every: PositiveInt = 1,
    ) -> None:
        super().__init__()
        self.weight, self.decay, self.every = weight, decay, every
        self.register_buffer("sums", torch.zeros(2))
        self.register_buffer("share", torch.zeros(()))

    def averages(self) -> Tensor:
        """Return the averages of the scores of real and fake samples, (2,); 0 before the first update."""
        return self.sums / self.share.clamp(min=torch.finfo(torch.float32).tiny)

    def score_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the penalty for scores (N,)."""
        average_real, average_fake = self.averages().clone()
        return self.weight * ((real - average_fake).square().mean() + (fake - average_real).square().mean())

    def update_(self, real: Tensor, fake: Tensor) -> None:
        """Move the averages towards the scores (N,) of this update."""
        self.sums.lerp_(torch.stack([real.mean(), fake.mean()]), 1 - self.decay)
        self.share.lerp_(torch.ones_like(self.share), 1 - self.decay)

    def curves(self, params: object) -> dict[str, Tensor]:
        """Return the averages."""
        return dict(zip(("average_real", "average_fake"), self.averages(), strict=True))
