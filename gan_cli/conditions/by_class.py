"""The generator's side of a condition: class-conditional batch norm, or the label with z."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from gan_cli.conditions.base import Labelled
from gan_cli.conditions.class_norm import ClassNorm, has_batch_norm
from gan_cli.conditions.labels import one_hot
from gan_cli.data.source import LabelKind

By = Literal["auto", "norm", "concat"]


class ByClass(Labelled):
    """The generator's side of projection and auxiliary classifier: class-conditional batch norm, or the label with z.

    Args:
        n_classes: as for `Labelled`.
        generator: `norm`: every batch norm of the generator has a scale and a shift for each class (Dumoulin et al.
            2017, equation 5), or linear in a label that is a vector; `concat`: the label joins z; `auto`: norm where
            the generator has batch norm.
        labels: as for `Labelled`.

    Raises:
        ValueError: `norm` for a generator without batch norm.
    """

    def __init__(
        self, n_classes: int = 0, generator: By = "auto", labels: LabelKind | Literal["auto"] = "class"
    ) -> None:
        super().__init__(n_classes, labels)
        self.generator = generator

    def resolve(self, generator: nn.Module) -> dict[str, Any]:
        """Return the value of `generator` for this family of generators."""
        by = ("norm" if has_batch_norm(generator) else "concat") if self.generator == "auto" else self.generator
        if by == "norm" and not has_batch_norm(generator):
            raise ValueError("generator=norm: this generator has no batch norm to condition; use generator=concat")
        return {"generator": by}

    def latent_size(self, size: int) -> int:
        """Return the size, plus n_classes if the label joins z."""
        return size + self.n_classes if self.generator == "concat" else size

    def adapt(self, generator: nn.Module) -> nn.Module:
        """Return the generator, with class-conditional batch norm if `generator` is `norm`."""
        return ClassNorm(generator, self.n_classes, self.reads_vectors) if self.generator == "norm" else generator

    def generator_input(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        """Return z and y, or z with the label behind it."""
        if self.generator == "norm":
            return z, y
        return (torch.cat([z, one_hot(y, self.n_classes)], dim=1),)
