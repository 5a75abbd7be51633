"""Small players of the studies: generators and critics of one or two weights, and a critic that plays alone."""

from __future__ import annotations

import torch
from pydantic import FiniteFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.updates.base import Phase, Updates


class CriticOnly(Updates):
    """The critic learns and the generator stays as it is; a step is one update of the critic."""

    def phases(self, step: int) -> list[Phase]:
        """Return the critic's phase."""
        return [Phase("critic", last=True)]


class Affine(nn.Module):
    """z -> mu + sigma z on a line (Nowozin et al. 2016, section 2.4).

    Args:
        mu: at the beginning.
        sigma: at the beginning.
        learns_sigma: sigma is a weight too.
    """

    def __init__(self, mu: FiniteFloat = 0.0, sigma: FiniteFloat = 1.0, learns_sigma: bool = True) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(float(mu)))
        self.sigma = nn.Parameter(torch.tensor(float(sigma)), requires_grad=learns_sigma)

    def forward(self, z: Tensor) -> Tensor:
        """Return samples (N, 1) for z (N, 1)."""
        return self.mu + self.sigma * z


class Line(nn.Module):
    """(theta, U), U uniform on (0, 1): the fake side of WGAN's example 1, for a standard normal z.

    Args:
        theta: at the beginning.
    """

    def __init__(self, theta: FiniteFloat) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(float(theta)))

    def forward(self, z: Tensor) -> Tensor:
        """Return points (N, 2) for z (N, 1)."""
        return torch.cat([self.theta.expand(len(z), 1), torch.special.ndtr(z)], dim=1)


class LinearCritic(nn.Module):
    """x -> psi x, the critic of the Dirac GAN (Mescheder et al. 2018, definition 2.1).

    Args:
        psi: at the beginning.
    """

    def __init__(self, psi: FiniteFloat = 1.0) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(float(psi)))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N,) for points (N, 1)."""
        return self.psi * x[:, 0]


class ConstantCritic(nn.Module):
    """x -> y, one weight, whatever the sample.

    Args:
        y: at the beginning.
    """

    def __init__(self, y: FiniteFloat) -> None:
        super().__init__()
        self.y = nn.Parameter(torch.tensor(float(y)))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N,) for points (N, 1)."""
        return self.y + 0 * x[:, 0]


class SaddleGame(Loss):
    """V(x, y) = x y^power + d / 2 (x^2 - y^2), which the generator's one weight x minimises and the critic's y maximises.

    A fake is x, a score is y; real samples have no part in it.

    Args:
        d: curvature; 0: there is none.
        power: 1, the bilinear game, or 2.
    """

    logged = (Curve("critic/value", "1", "neither", "V(x, y) of a game of two numbers"),)

    def __init__(self, d: FiniteFloat = 0.0, power: PositiveInt = 1) -> None:
        super().__init__()
        self.d = d
        self.power = power

    def _value(self, fake: CriticOutput) -> Tensor:
        x, y = fake.x.mean(), fake.score.mean()
        return x * y**self.power + self.d / 2 * (x**2 - y**2)

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return -V."""
        return -self._value(fake)

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return V."""
        return self._value(fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return V as `value`."""
        return {"value": self._value(fake)}
