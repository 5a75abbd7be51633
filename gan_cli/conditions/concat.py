"""The one-hot label joins z and the critic's input."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.conditions.base import Labelled
from gan_cli.conditions.labels import one_hot


class Concat(Labelled):
    """Conditional GAN (Mirza & Osindero 2014): the label is a part of the input of both networks, a class one-hot.

    It joins z, and the critic's image as n_classes further channels, each constant (a point's coordinates as n_classes
    further numbers).
    """

    def latent_size(self, size: int) -> int:
        """Return size + n_classes."""
        return size + self.n_classes

    def critic_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with n_classes more channels, or coordinates."""
        return (sample_shape[0] + self.n_classes, *sample_shape[1:])

    def generator_input(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        """Return z with the label behind it."""
        return (torch.cat([z, one_hot(y, self.n_classes)], dim=1),)

    def critic_input(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Return x with the label's channels behind its own."""
        label = one_hot(y, self.n_classes)
        planes = label.reshape(*label.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, planes], dim=1)
