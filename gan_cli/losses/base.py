"""The role of a loss, and the output of a critic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.latents.base import Latent


class CriticOutput(NamedTuple):
    """The output of a critic for a batch.

    Attributes:
        score: (N,) float32, unbounded; with an auto-encoder critic the energy, at least 0.
        features: (N, F) float32, the critic's last hidden layer; None where the critic gives scores alone.
        heads: linear heads on the features by name, each (N, size).
        x: the samples (N, ...), as the critic reads them.
        y: labels (N,) of the samples, or None.
        c: latent codes (N, C) behind generated samples, or None.
    """

    score: Tensor
    features: Tensor | None
    heads: dict[str, Tensor]
    x: Tensor
    y: Tensor | None = None
    c: Tensor | None = None


class Loss(nn.Module, ABC):
    """The two players' objectives. State that must survive a resume is a buffer.

    Attributes:
        energy: the critic is an auto-encoder and its score the reconstruction error, the mean over a sample's values
            of |x - D(x)| (`l1`) or of (x - D(x))^2 (`l2`); None: the score is a linear function of the features.
        integral_probability_metric: the critic's estimate is K times a distance, K the critic's Lipschitz constant.
        generator_reads_real: the generator's objective depends on the critic's output for real samples too.
        per_sample: the objectives are means over samples, so that a batch may be divided into microbatches.
        compares_pairs: the objectives compare different samples of one kind, so that a batch needs at least two.
        reads_score: the objectives use the critic's score; False if they compare its features.
        twice_differentiable: the critic's gradient may be differentiated again, as unrolling does.
        critic_plays: the critic has weights to train; False if the objective compares the samples themselves.
        has_objective: False if both objectives are 0, and the generator minimises the task's further terms alone.
        logged: declarations of the curves of `estimates`.
    """

    energy: ClassVar[Literal["l1", "l2"] | None] = None
    integral_probability_metric: ClassVar[bool] = False
    generator_reads_real: ClassVar[bool] = False
    per_sample: bool = True
    compares_pairs: bool = False
    reads_score: bool = True
    twice_differentiable: ClassVar[bool] = True
    critic_plays: bool = True
    has_objective: ClassVar[bool] = True
    logged: ClassVar[tuple[Curve, ...]] = ()

    def heads(self, latent: Latent) -> dict[str, int]:
        """Return the sizes of the linear heads that this loss needs on the critic's features.

        They are trained with the generator, and no constraint touches them.

        Raises:
            ValueError: the prior does not fit the loss; the text names an option that does.
        """
        return {}

    @abstractmethod
    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the critic's objective, which it minimises, 0-d; no buffer is written here."""

    @abstractmethod
    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return the generator's objective, which it minimises, 0-d.

        `real` is given if `generator_reads_real`, and if the generator unrolls the critic: the critic's output for real
        samples then depends on the generator too, so in a game of one value V that is the whole of V.
        """

    def penalised_function(self, at: CriticOutput, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the function (N,) whose gradient a penalty measures, at these points.

        Args:
            at: the critic's output at these points.
            real: its output for the batch of real samples.
            fake: its output for the batch of generated samples.
        """
        return at.score

    def update_(self, real: CriticOutput, fake: CriticOutput) -> None:
        """Update the loss's own buffers, once a step, after the last critic update."""

    @abstractmethod
    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the loss's curves, 0-d each, without penalty terms; `<name>_estimate` also gets a held-out curve."""
