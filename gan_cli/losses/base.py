"""What every loss says, and what a critic answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Answer(NamedTuple):
    """What a critic says about a batch.

    Attributes:
        score: (N,) float32, unbounded.
        features: (N, F), the critic's last hidden layer.
        heads: linear heads on the features by name, each (N, size).
        y: labels (N,) the critic was asked about, or None.
        c: latent codes the critic was asked about, or None.
    """

    score: Tensor
    features: Tensor
    heads: dict[str, Tensor]
    y: Tensor | None
    c: Tensor | None


class Loss(nn.Module, ABC):
    """The two players' objectives. State that must survive a resume is a buffer.

    Attributes:
        integral_probability_metric: the critic's estimate is K times a distance, K the critic's Lipschitz constant.
        generator_reads_real: the generator's objective depends on the critic's answer to real samples too.
    """

    integral_probability_metric: ClassVar[bool] = False
    generator_reads_real: ClassVar[bool] = False

    def heads(self) -> dict[str, int]:
        """Return the sizes of the linear heads that this loss needs on the critic's features."""
        return {}

    @abstractmethod
    def critic(self, real: Answer, fake: Answer) -> Tensor:
        """Return what the critic minimises, 0-d; no buffer is written here."""

    @abstractmethod
    def generator(self, fake: Answer, real: Answer | None) -> Tensor:
        """Return what the generator minimises, 0-d; `real` is given where `generator_reads_real`."""

    def witness(self, at: Answer) -> Tensor:
        """Return the function (N,) whose smoothness a penalty asks for, at the answered points."""
        return at.score

    def update_(self, real: Answer, fake: Answer) -> None:
        """Move the loss's own buffers, once a step, after the last critic update."""

    @abstractmethod
    def estimates(self, real: Answer, fake: Answer) -> dict[str, Tensor]:
        """Return the curves of this loss, 0-d each, free of penalty terms; names as in `<name>_estimate`."""
