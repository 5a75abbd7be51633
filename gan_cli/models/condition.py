"""How labels reach the networks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_cli.losses.base import Answer
from gan_cli.models.class_norm import ClassNorm, has_batch_norm
from gan_cli.models.labels import one_hot

By = Literal["auto", "norm", "concat"]


class Unconditional:
    """The networks see no labels; the base of the conditional ways.

    Args:
        n_classes: labels are in [0, n_classes).

    Attributes:
        needs_labels: real samples must come with labels, and fakes are asked for by label.
        projects: the critic adds an inner product of its features and a class's embedding to its score.
        critic_heads: names and sizes of linear heads on the critic's features, trained with the critic.
    """

    needs_labels: ClassVar[bool] = False
    projects: ClassVar[bool] = False

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

    def critic_term(self, real: Answer, fake: Answer) -> Tensor | None:
        """Return what is added to the critic's objective, 0-d, or None."""
        return None

    def generator_term(self, fake: Answer) -> Tensor | None:
        """Return what is added to the generator's objective, 0-d, or None."""
        return None

    def estimates(self, real: Answer, fake: Answer) -> dict[str, Tensor]:
        """Return curves, 0-d each."""
        return {}


class Concat(Unconditional):
    """Conditional GAN (Mirza & Osindero 2014): the label, one-hot, is part of what both networks read.

    It joins z, and the critic's image as n_classes further channels that are 1 or 0 everywhere (a point's coordinates
    as n_classes further numbers).
    """

    needs_labels = True

    def latent_size(self, size: int) -> int:
        """Return size + n_classes."""
        return size + self.n_classes

    def critic_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with n_classes more channels, or coordinates."""
        return (sample_shape[0] + self.n_classes, *sample_shape[1:])

    def generator_input(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        """Return z with the one-hot label behind it."""
        return (torch.cat([z, one_hot(y, self.n_classes)], dim=1),)

    def critic_input(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Return x with the label's channels behind its own."""
        label = one_hot(y, self.n_classes)
        planes = label.reshape(*label.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, planes], dim=1)


class ByClass(Unconditional):
    """The generator's side of projection and auxiliary classifier: class-conditional batch norm, or the label with z.

    Args:
        n_classes: labels are in [0, n_classes).
        generator: `norm`: every batch norm of the generator has a scale and a shift for each class (Dumoulin et al.
            2017, equation 5); `concat`: the one-hot label joins z; `auto`: norm where the generator has batch norm.

    Raises:
        ValueError: `norm` for a generator without batch norm.
    """

    needs_labels = True

    def __init__(self, n_classes: int = 0, generator: By = "auto") -> None:
        super().__init__(n_classes)
        self.generator = generator

    def resolve(self, generator: nn.Module) -> dict[str, Any]:
        """Return the way this family of generators allows."""
        by = ("norm" if has_batch_norm(generator) else "concat") if self.generator == "auto" else self.generator
        if by == "norm" and not has_batch_norm(generator):
            raise ValueError("generator=norm: this generator has no batch norm to condition; generator=concat")
        return {"generator": by}

    def latent_size(self, size: int) -> int:
        """Return size, and n_classes more where the label joins z."""
        return size + self.n_classes if self.generator == "concat" else size

    def adapt(self, generator: nn.Module) -> nn.Module:
        """Return the generator with class-conditional batch norm, where that is the way."""
        return ClassNorm(generator, self.n_classes) if self.generator == "norm" else generator

    def generator_input(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        """Return z and y, or z with the one-hot label behind it."""
        if self.generator == "norm":
            return z, y
        return (torch.cat([z, one_hot(y, self.n_classes)], dim=1),)


class Projection(ByClass):
    """Projection critic (Miyato & Koyama 2018, equation 3): score = w . phi(x) + v_y . phi(x)."""

    projects = True


class AuxiliaryClassifier(ByClass):
    """Auxiliary classifier (Odena et al. 2017, equations 2 and 3): the critic also names the class.

    The cross-entropy of the class is added to both players' objectives, which keep their own game on the score. The
    paper's L_C has the critic learn the classes from fake samples too. Whatever the generator draws for a class is then
    an example of it, and classes settle on the wrong images; so the critic learns them from real samples alone here.

    Args:
        n_classes: labels are in [0, n_classes).
        generator: as for `ByClass`.
        weight: of the cross-entropy; 1 in the paper.
        learn_from_fake: the critic learns the classes from fake samples too, as in the paper.
    """

    def __init__(
        self,
        n_classes: int = 0,
        generator: By = "auto",
        weight: PositiveFloat = 1.0,
        learn_from_fake: bool = False,
    ) -> None:
        super().__init__(n_classes, generator)
        self.weight = weight
        self.learn_from_fake = learn_from_fake

    @property
    def critic_heads(self) -> dict[str, int]:
        """Return the classifier's head."""
        return {"class": self.n_classes}

    def critic_term(self, real: Answer, fake: Answer) -> Tensor:
        """Return the weighted cross-entropy of the classes of real samples, and of fake ones where they teach."""
        taught = _class_loss(real) + _class_loss(fake) if self.learn_from_fake else _class_loss(real)
        return self.weight * taught

    def generator_term(self, fake: Answer) -> Tensor:
        """Return the weighted cross-entropy of the classes that were asked for."""
        return self.weight * _class_loss(fake)

    def estimates(self, real: Answer, fake: Answer) -> dict[str, Tensor]:
        """Return the share of real and of fake samples whose class the critic names."""
        return {
            f"class_accuracy_{kind}": (answer.heads["class"].argmax(dim=1) == answer.y).float().mean()
            for kind, answer in (("real", real), ("fake", fake))
        }


def _class_loss(answer: Answer) -> Tensor:
    return cross_entropy(answer.heads["class"], answer.y)
