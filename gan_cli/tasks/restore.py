"""Restoration: the generator reads a degraded image and returns the whole one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import interpolate, l1_loss, mse_loss

from gan_cli.core.curves import Curve
from gan_cli.data.loader import to_bytes
from gan_cli.data.source import Batch, Dataset
from gan_cli.degradations.base import Degradation, as_sample
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.metrics.fidelity import fidelity
from gan_cli.rng import Draws
from gan_cli.tasks.base import Generate, Term, with_planes

Content = Literal["l1", "l2", "features"]
Read = Literal["sample", "both"]


class Paired(Generate):
    """The base of tasks whose sources each belong to one real image.

    The generator minimises adversarial_weight times its objective in the game, plus content_weight times the content
    term.

    Args:
        content: `l1`, `l2`: the mean of |G - x| or of its square; `features`: the mean squared distance in the features
            of `extractor`.
        content_weight: 0: no content term.
        adversarial_weight: 0 is loss=none.
        critic_reads: `sample`: the image alone; `both`: the source behind it, resized where it is smaller.
    """

    reads = "image"
    logged = (
        Curve(
            "generator/content",
            "that of the term",
            "lower",
            "the content term: how far the generator's images are from those that they should be",
            chart=("Content", "content"),
        ),
    )
    baseline = "the source itself"
    pairs = "each image and its target"

    def __init__(self, content: Content, content_weight: float, adversarial_weight: float, critic_reads: Read) -> None:
        super().__init__()
        if not content_weight and not adversarial_weight:
            raise ValueError("content_weight=0 and adversarial_weight=0: the generator would have nothing to minimise")
        self.content, self.content_weight = content, content_weight
        self.adversarial_weight, self.critic_reads = adversarial_weight, critic_reads
        self.needs_extractor = content == "features"
        self._extractor: list[Extractor] = []  # not a module of the game: no checkpoint holds its weights

    @property
    def has_terms(self) -> bool:
        """Whether there is a content term."""
        return self.content_weight > 0

    def use(self, extractor: Extractor) -> None:
        """Take the loaded extractor in whose features the content is compared."""
        self._extractor = [extractor]

    def generator_input(self, source: Tensor | None, z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Return the source with z's numbers as further channels, and the rest."""
        return (with_planes(source, z), *others)

    def critic_shape(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the shape of `critic_input`."""
        more = source_shape[0] if self.critic_reads == "both" else 0
        return (sample_shape[0] + more, *sample_shape[1:])

    def critic_input(self, x: Tensor, source: Tensor | None) -> Tensor:
        """Return the samples, with their sources as further channels where the critic reads both."""
        if self.critic_reads == "sample":
            return x
        return torch.cat([x, interpolate(source, size=x.shape[2:], mode="nearest")], dim=1)

    def generator_terms(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, Term]:
        """Return the content term."""
        return {"content": Term(self._content(fake.x, real.x), self.content_weight)} if self.content_weight else {}

    def _content(self, fake: Tensor, real: Tensor) -> Tensor:
        if self.content == "l1":
            return l1_loss(fake, real)
        if self.content == "l2":
            return mse_loss(fake, real)
        (extractor,) = self._extractor
        return mse_loss(extractor.differentiable(fake).x, extractor(real).x)

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
        """Return the sources as samples: resized and with as many channels."""
        return as_sample(source, sample_shape)

    def measures(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return PSNR and SSIM."""
        return fidelity(to_bytes(fake.x), to_bytes(real.x))


class Restore(Paired):
    """The generator reads a degraded image and writes the whole one; any set of images gives pairs.

    Super-resolution is SRGAN (Ledwig et al. 2017, equation 3: content + 1e-3 adversarial), a hole Context Encoders
    (Pathak et al. 2016, equation 3: 0.999 L2 + 0.001 adversarial). SRGAN's content is in VGG's features; here
    content=features takes those of `extractor`, the features after the last pooling, and content=l2 is the paper's
    SRGAN-MSE.

    Args:
        degradation: what is done to an image; the group `degradation`.
        content: as `Paired`.
        content_weight: as `Paired`.
        adversarial_weight: as `Paired`.
        critic_reads: as `Paired`.
    """

    def __init__(
        self,
        degradation: Degradation,
        content: Content = "l2",
        content_weight: NonNegativeFloat = 1.0,
        adversarial_weight: NonNegativeFloat = 1e-3,
        critic_reads: Read = "sample",
    ) -> None:
        super().__init__(content, content_weight, adversarial_weight, critic_reads)
        self.degradation, self.baseline = degradation, degradation.baseline
        if degradation.leaves_holes:
            self.pairs = "each image and its target, whole, and in the hole alone"

    def expected_shapes(self, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shapes of an image and of a degraded one.

        Raises:
            UserError: the dataset has sources of its own.
        """
        if hasattr(dataset, "expected_source_shape"):
            raise UserError(
                f"task=restore makes what the generator reads, and dataset={type(dataset).__name__} brings it: "
                "task=translate, or dataset=folder"
            )
        return super().expected_shapes(dataset)

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a degraded image."""
        if len(sample_shape) != 3:
            raise UserError("task=restore: degrades images, and the data are points: a dataset of images")
        try:
            return self.degradation.source_shape(sample_shape)
        except ValueError as error:
            raise UserError(f"degradation ({type(self.degradation).__name__}): {error}") from error

    def with_source(self, batch: Batch, draws: Draws) -> Batch:
        """Return the batch with degraded images as sources."""
        return batch if batch.source is not None else batch._replace(source=self.degradation(batch.x, draws))

    def written(self, output: Tensor, source: Tensor | None) -> Tensor:
        """Return the output, with what the source shows whole as it was."""
        return self.degradation.completed(output, source)

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
        """Return what the degradation's baseline makes of the sources."""
        return self.degradation.unlearned(source, sample_shape)

    def measures(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return PSNR and SSIM, and those of the holes."""
        found = super().measures(fake, real, again)
        if self.degradation.leaves_holes:
            found |= fidelity(to_bytes(fake.x), to_bytes(real.x), "hole", real.source[:, -1:] > 0)
        return found
