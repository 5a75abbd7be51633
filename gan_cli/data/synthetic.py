"""Synthetic datasets: endless points of known distributions in one and two dimensions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveFloat

from gan_cli.data.digest import digest
from gan_cli.data.samplers import GaussianMixture, Line, Sampler, Spiral, Stream, fixed_points
from gan_cli.data.source import RealData


class SyntheticSet(ABC):
    """A dataset of points; a subclass has the sampler.

    Every batch k depends only on (seed, stream, k) and the kind of device. Held-out points have their own stream.
    """

    dimensions: ClassVar[int] = 2

    @abstractmethod
    def sampler(self, device: torch.device) -> Sampler:
        """Return the sampler of the points on a device."""

    def expected_shape(self) -> tuple[int, ...]:
        """Return (D,)."""
        return (self.dimensions,)

    def expected_classes(self) -> int:
        """Return the number of components that the labels distinguish, 0 without labels."""
        return len(self.sampler(torch.device("cpu")).class_names or ())

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Set up the streams; nothing is read."""
        sampler = self.sampler(device)
        return RealData(
            shape=self.expected_shape(),
            class_names=sampler.class_names,
            train=Stream(sampler, batch_size, seed, "train", device),
            heldout=Stream(sampler, batch_size, seed, "heldout", device),
            fingerprint=digest(type(self).__name__, sorted(vars(self).items())),
            fixed=lambda n: fixed_points(sampler, n, device),
            modes=sampler.modes,
        )


class Ring(SyntheticSet):
    """Gaussians of equal weight on a circle, mode i at the angle 2 pi i / modes (Lin et al. 2018, PacGAN).

    `modes=8 radius=2 std=0.02 scale=0.7072` are the 8 Gaussians of Improved WGAN, which divides them by 1.414.

    Args:
        modes: number of modes on the circle.
        radius: radius of the circle.
        std: of each Gaussian, along each axis.
        scale: multiplies every coordinate, the standard deviation included.
    """

    def __init__(
        self,
        modes: Annotated[int, Field(ge=1, le=1_000_000)] = 8,
        radius: PositiveFloat = 1.0,
        std: PositiveFloat = 0.01,
        scale: PositiveFloat = 1.0,
    ) -> None:
        self.modes = modes
        self.radius = radius
        self.std = std
        self.scale = scale

    def sampler(self, device: torch.device) -> Sampler:
        """Return the mixture; y is the mode."""
        angle = torch.arange(self.modes, dtype=torch.float64) * (2 * math.pi / self.modes)
        centres = self.radius * torch.stack([angle.cos(), angle.sin()], dim=1)
        return GaussianMixture(self.scale * centres, [self.scale * self.std] * self.modes, None, device)


class Grid(SyntheticSet):
    """Gaussians of equal weight on a square grid around 0: {-4, -2, 0, 2, 4}^2 (Lin et al. 2018, PacGAN).

    `scale=0.3536` gives the 25 Gaussians of Improved WGAN, which divides them by 2.828.

    Args:
        side: number of modes along each axis.
        spacing: distance between neighbours.
        std: of each Gaussian, along each axis.
        scale: multiplies every coordinate, the standard deviation included.
    """

    def __init__(
        self,
        side: Annotated[int, Field(ge=1, le=1_000)] = 5,
        spacing: PositiveFloat = 2.0,
        std: PositiveFloat = 0.05,
        scale: PositiveFloat = 1.0,
    ) -> None:
        self.side = side
        self.spacing = spacing
        self.std = std
        self.scale = scale

    def sampler(self, device: torch.device) -> Sampler:
        """Return the mixture; y is the mode, row by row from the lower left."""
        along = (torch.arange(self.side, dtype=torch.float64) - (self.side - 1) / 2) * self.spacing
        y, x = torch.meshgrid(along, along, indexing="ij")
        centres = torch.stack([x.flatten(), y.flatten()], dim=1)
        return GaussianMixture(self.scale * centres, [self.scale * self.std] * self.side**2, None, device)


class GaussianMixture1d(SyntheticSet):
    """Two Gaussians of unequal weight on a line, the mixture that f-GAN fits (Nowozin et al. 2016, section 2.4).

    The paper does not print its parameters; the defaults reproduce its table of divergences.

    Args:
        weights: weights of the Gaussians; they need not sum to 1.
        means: means of the Gaussians.
        stds: standard deviations of the Gaussians.
    """

    dimensions = 1

    def __init__(
        self,
        weights: tuple[PositiveFloat, PositiveFloat] = (0.33, 0.67),
        means: tuple[FiniteFloat, FiniteFloat] = (-1.0, 2.0),
        stds: tuple[PositiveFloat, PositiveFloat] = (0.2549, 1.4150),
    ) -> None:
        self.weights = tuple(weights)
        self.means = tuple(means)
        self.stds = tuple(stds)

    def sampler(self, device: torch.device) -> Sampler:
        """Return the mixture; y is the Gaussian."""
        centres = torch.tensor(self.means, dtype=torch.float64)[:, None]
        return GaussianMixture(centres, self.stds, self.weights, device)


class TwoGaussians1d(SyntheticSet):
    """A Gaussian on a line, which a critic compares with another one (Arjovsky et al. 2017, figure 2).

    The paper prints no parameters. Here real is N(-3, 1) and fake N(3, 1): W1 = 6, and a discriminator saturates.

    Args:
        mean: mean of the real Gaussian.
        std: standard deviation of the real Gaussian.
    """

    dimensions = 1
    fake_mean: ClassVar[float] = 3.0
    fake_std: ClassVar[float] = 1.0

    def __init__(self, mean: FiniteFloat = -3.0, std: PositiveFloat = 1.0) -> None:
        self.mean = mean
        self.std = std

    def sampler(self, device: torch.device) -> Sampler:
        """Return the Gaussian; there are no labels."""
        return GaussianMixture(torch.tensor([[self.mean]], dtype=torch.float64), [self.std], None, device)


class SwissRoll(SyntheticSet):
    """A noisy spiral in the plane, as Improved WGAN draws it (Gulrajani et al. 2017, figure 2).

    t = 1.5 pi (1 + 2 u), (x, y) = (t cos t, t sin t) + noise, all divided by 7.5.

    Args:
        noise: standard deviation before the division.
    """

    def __init__(self, noise: NonNegativeFloat = 0.25) -> None:
        self.noise = noise

    def sampler(self, device: torch.device) -> Sampler:
        """Return the spiral; there are no labels."""
        return Spiral(self.noise)


class ParallelLines(SyntheticSet):
    """Points (0, Z), Z uniform on [0, 1): the real side of WGAN's example 1 (Arjovsky et al. 2017, figure 1).

    The fake side is (theta, Z), for which W1 = |theta| and JS = log 2 at any theta but 0.
    """

    def sampler(self, device: torch.device) -> Sampler:
        """Return the line; there are no labels."""
        return Line()
