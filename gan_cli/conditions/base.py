"""The role of a condition, and the unconditional one: how class labels reach the networks."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput


class Unconditional:
    """The networks see no labels; the base of the conditional ways.

    Args:
        n_classes: labels are in [0, n_classes).

    Attributes:
        needs_labels: real samples must come with labels, and fakes are asked for by label.
        projects: the critic adds an inner product of its features and a class's embedding to its score.
        critic_heads: names and sizes of linear heads on the critic's features, trained with the critic.
        logged: what the curves of `estimates` mean.
    """

    needs_labels: ClassVar[bool] = False
    projects: ClassVar[bool] = False
    logged: ClassVar[tuple[Curve, ...]] = ()

    def __init__(self, n_classes: int = 0) -> None:
        self.n_classes = n_classes

    @property
    def critic_heads(self) -> dict[str, int]:
        """Return the sizes of the linear heads, trained with the critic, that no constraint touches."""
        return {}

    def resolve(self, generator: nn.Module) -> dict[str, Any]:
        """Return the settings that were `auto`, for this family of generators."""
        return {}

    def latent_size(self, size: int) -> int:
        """Return how many numbers the generator reads, for a prior of this size."""
        return size

    def critic_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what the critic's trunk reads, for samples of this shape."""
        return sample_shape

    def adapt(self, generator: nn.Module) -> nn.Module:
        """Return the generator as it takes this condition's inputs."""
        return generator

    def generator_input(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        """Return what the generator reads for z (N, size) and labels y (N,)."""
        return (z,)

    def critic_input(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Return what the critic's trunk reads, (N, ...)."""
        return x

    def critic_term(self, real: CriticOutput, fake: CriticOutput) -> Tensor | None:
        """Return what is added to the critic's objective, 0-d, or None."""
        return None

    def generator_term(self, fake: CriticOutput) -> Tensor | None:
        """Return what is added to the generator's objective, 0-d, or None."""
        return None

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return curves, 0-d each."""
        return {}
