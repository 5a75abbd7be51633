"""What every loss says, and what a critic answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.latents.base import Latent


class CriticOutput(NamedTuple):
    """What a critic says about a batch.

    Attributes:
        score: (N,) float32, unbounded; the energy, at least 0, where the loss asks for an auto-encoder critic.
        features: (N, F) float32, the critic's last hidden layer.
        heads: linear heads on the features by name, each (N, size).
        x: the samples (N, ...) it was asked about, as the critic was shown them.
        y: labels (N,) the critic was asked about, or None.
        c: latent codes (N, C) behind generated samples, or None.
    """

    score: Tensor
    features: Tensor
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
        generator_reads_real: the generator's objective depends on the critic's answer to real samples too.
        per_sample: the objectives are means over samples, so that parts of a batch may be taken one after the other.
        compares_pairs: the objectives compare different samples of one kind, so that a batch has at least two.
        reads_score: the objectives are about the critic's score; False where they compare its features.
        twice_differentiable: the critic's gradient may be differentiated again, as looking ahead does.
        critic_plays: the critic has weights to train; False where the objective looks at the samples themselves.
        logged: what the curves of `estimates` mean.
    """

    energy: ClassVar[Literal["l1", "l2"] | None] = None
    integral_probability_metric: ClassVar[bool] = False
    generator_reads_real: ClassVar[bool] = False
    per_sample: bool = True
    compares_pairs: bool = False
    reads_score: bool = True
    twice_differentiable: ClassVar[bool] = True
    critic_plays: bool = True
    logged: ClassVar[tuple[Curve, ...]] = ()

    def heads(self, latent: Latent) -> dict[str, int]:
        """Return the sizes of the linear heads that this loss needs on the critic's features.

        They are trained with the generator, and no constraint touches them.

        Raises:
            ValueError: the prior lacks what the loss asks for; the text names the option that has it.
        """
        return {}

    @abstractmethod
    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return what the critic minimises, 0-d; no buffer is written here."""

    @abstractmethod
    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return what the generator minimises, 0-d.

        `real` is given where `generator_reads_real`, and where the generator looks ahead: the critic's answer to real
        samples then depends on the generator too, so in a game of one value V that is the whole of V.
        """

    def penalised_function(self, at: CriticOutput, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the function (N,) whose smoothness a penalty asks for, at the answered points.

        Args:
            at: the critic's answer at these points.
            real: its answer to the batch of real samples.
            fake: its answer to the batch of generated samples.
        """
        return at.score

    def update_(self, real: CriticOutput, fake: CriticOutput) -> None:
        """Move the loss's own buffers, once a step, after the last critic update."""

    @abstractmethod
    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the curves of this loss, 0-d each, free of penalty terms; `<name>_estimate` gets a held-out twin."""
