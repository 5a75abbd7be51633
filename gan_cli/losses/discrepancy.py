"""Losses that compare the two batches as sets of points."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gan_cli.losses.base import CriticOutput, Loss

_ROUNDING = 1e-13  # of a squared distance, in units of the points' squared norms

Space = Literal["features", "pixels"]


class Discrepancy(Loss):
    """A distance between the real and the generated batch, which the generator minimises.

    On the critic's features, the critic maximises the distance; on pixels, only the generator is trained.

    Args:
        space: `features` of the critic, or `pixels` (the coordinates, where the data are points).
    """

    generator_reads_real = True
    per_sample = False
    compares_pairs = True
    reads_score = False
    curve: ClassVar[str]  # what the distance is called

    def __init__(self, space: Space = "features") -> None:
        super().__init__()
        self.space = space
        self.critic_plays = space == "features"

    def points(self, output: CriticOutput) -> Tensor:
        """Return the points that are compared, (N, D)."""
        return output.features if self.space == "features" else output.x.flatten(1)

    @abstractmethod
    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the distance, 0-d, between batches of points (N, D) and (M, D), at least two points each."""

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return minus the distance."""
        return -self.distance(self.points(real), self.points(fake))

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return the distance."""
        return self.distance(self.points(real), self.points(fake))

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the distance under the loss's name."""
        return {self.curve: self.distance(self.points(real), self.points(fake))}


class KernelDistance(Discrepancy):
    """Squared maximum mean discrepancy of a kernel, by the unbiased estimator (Gretton et al. 2012, equation 3).

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) over pairs of different samples; it may be negative.
    """

    @abstractmethod
    def kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return k (N, M) between points (N, D) and (M, D)."""

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the estimate of MMD^2."""
        within = mean_of_pairs(self.kernel(real, real)) + mean_of_pairs(self.kernel(fake, fake))
        return within - 2 * self.kernel(real, fake).mean()

    def penalised_function(self, at: CriticOutput, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return E k(at, real) - E k(at, fake); the difference of its means is the discrepancy."""
        points = self.points(at)
        return self.kernel(points, self.points(real)).mean(dim=1) - self.kernel(points, self.points(fake)).mean(dim=1)


def mean_of_pairs(values: Tensor) -> Tensor:
    """Return the mean of a square matrix without its diagonal, 0-d."""
    n = len(values)
    return (values.sum() - values.diagonal().sum()) / (n * (n - 1))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared Euclidean distances (N, M) between points (N, D) and (M, D), at least 0.

    By one matrix product, in double precision: neither cancellation nor the fast formats of a GPU's products reach it.
    The rest between equal points is rounding and is set to 0: the derivative of a root there would be noise.
    """
    x, y = x.double(), y.double()
    squares = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
    found = squares - 2 * x @ y.T
    return torch.where(found > _ROUNDING * squares, found, 0.0).float()
