"""Small players of the studies: generators and critics of one or two weights, and a critic that plays alone."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import FiniteFloat, PositiveFloat, PositiveInt
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
    """V(x, y) = x y^power + d / 2 (x^2 - y^2): the generator's one weight x minimises it, the critic's y maximises it.

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


class NoisyReal(nn.Module):
    """Points of a ring of 8, a grid of 25 or a swiss roll with Gaussian noise: a generator that has only to lose noise.

    As in Gulrajani et al. 2017, figure 1, it stands still; its one weight is the noise's deviation.

    Args:
        points: which set, in the coordinates that its dataset draws with Improved WGAN's scale.
        std: deviation of the noise.
    """

    def __init__(self, points: Literal["ring", "grid", "swiss_roll"], std: PositiveFloat) -> None:
        super().__init__()
        self.points = points
        self.std = nn.Parameter(torch.tensor(float(std)))

    def forward(self, z: Tensor) -> Tensor:
        """Return points (N, 2) for z (N, 4)."""
        u, v = torch.special.ndtr(z[:, 2:]).unbind(dim=1)
        if self.points == "swiss_roll":
            t = 1.5 * torch.pi * (1 + 2 * u)
            clean = torch.stack([t * t.cos(), t * t.sin()], dim=1) / 7.5
        elif self.points == "ring":
            angle = (u * 8).floor() * (torch.pi / 4)
            clean = 2 / 1.414 * torch.stack([angle.cos(), angle.sin()], dim=1)
        else:
            clean = (torch.stack([u, v], dim=1) * 5).floor() * 2 - 4
            clean = clean / 2.828
        return clean + self.std * z[:, :2]
