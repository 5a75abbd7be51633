"""The role of a task: what a generator reads, and the base class whose generator reads z alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.data.source import Batch, Dataset, LabelKind, RealData
from gan_cli.degradations.base import Degradation
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws


class Term(NamedTuple):
    """A further term of the generator's objective: its value, 0-d, and its weight there."""

    value: Tensor
    weight: float


class Generate(nn.Module):
    """The generator reads z (and a label): samples from noise; the base class of the other tasks.

    State that must survive a resume is a buffer.

    Attributes:
        reads: what the generator reads besides, its source: an `image`, a `vector`, or None.
        twofold: a player has two networks, and a batch alternates between two domains.
        degradation: what makes sources of whole pictures; None: the data bring them, or there are none.
        needs_extractor: terms are measured, or images are read, in the features of an extractor, which `use` gives.
        history: earlier fakes that the critic learns from too.
        adversarial_weight: factor of the game's objective in the generator's.
        baseline: what `unlearned` returns, in words; '': nothing.
        pairs: what `measures` compares, in words; '': nothing.
        logged: declarations of the curves of `generator_terms`, and of `measures`.
    """

    reads: ClassVar[Literal["image", "vector"] | None] = None
    twofold: ClassVar[bool] = False
    logged: ClassVar[tuple[Curve, ...]] = ()
    degradation: Degradation | None = None
    history: int = 0
    needs_extractor: bool = False
    adversarial_weight: float = 1.0
    baseline: str = ""
    pairs: str = ""

    @property
    def has_terms(self) -> bool:
        """Whether the generator minimises further terms."""
        return False

    def expected_shapes(self, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shapes of a sample and of its source (None: there is none), before the data are read.

        Raises:
            UserError: the dataset does not suit the task.
        """
        shape = tuple(dataset.expected_shape())
        return shape, self.source_shape(shape)

    def expected_classes(self, dataset: Dataset) -> int | None:
        """Return `RealData.n_classes` before the data are read, None for unknown."""
        return dataset.expected_classes() if hasattr(dataset, "expected_classes") else None

    def expected_labels(self, dataset: Dataset) -> LabelKind:
        """Return what the labels are, before the data are read."""
        return dataset.expected_labels() if hasattr(dataset, "expected_labels") else "class"

    def build(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> None:
        """Make the task's buffers, for samples and sources of these shapes."""

    def meta(self) -> dict[str, Any]:
        """Return what a checkpoint holds of the task beside its buffers, as values of JSON."""
        return {}

    def recall(self, meta: Mapping[str, Any]) -> None:
        """Take what `meta` returned when the checkpoint was saved, before the buffers are made.

        Raises:
            ValueError: it is something else.
        """

    def players(self, make: Callable[[], nn.Module]) -> nn.Module:
        """Return a player's network, or its networks as one."""
        return make()

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the shape of a source that the task makes from samples of this shape; None: the data bring it.

        Raises:
            ValueError: samples of this shape do not suit the task.
        """
        return None

    def open(self, dataset: Dataset, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Open the data.

        Raises:
            UserError: they are missing, or do not suit the task.
        """
        return dataset.open(batch_size, seed, device)

    def use(self, extractor: Extractor) -> None:
        """Take the loaded extractor that the task asked for."""

    def samples_of(self, data: RealData, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Return the data that the networks learn from, made of what `open` returned.

        Raises:
            UserError: they do not suit the task.
        """
        return data

    def with_source(self, batch: Batch, draws: Draws) -> Batch:
        """Return a batch of real samples with its source; one that has a source stays as it is."""
        return batch

    def generator_input(self, source: Tensor | None, z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Return the generator's input for a source, z (with what a condition joined to it), and the rest."""
        return (z, *others)

    def written(self, output: Tensor, source: Tensor | None) -> Tensor:
        """Return the sample that a generator's output (N, ...) stands for."""
        return output

    def critic_shape(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the shape of `critic_input`."""
        return sample_shape

    def critic_input(self, x: Tensor, source: Tensor | None) -> Tensor:
        """Return what the critic reads for samples x (N, ...) and their sources."""
        return x

    def panels(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Return what a picture shows side by side, (N, ...) each, for tasks whose sources are images.

        Args:
            fake: generated, with its source.
            real: the real samples that belong to the same sources.
            again: the generator, source -> samples.
        """
        return [fake.source, fake.x, real.x]

    def remembered(self, fake: Batch, draws: Draws) -> Batch:
        """Return the fakes that the critic learns from, where the task keeps earlier ones; called once an update."""
        return fake

    def generator_terms(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, Term]:
        """Return the further terms of the generator's objective by the name of their curve, `generator/NAME`.

        Args:
            fake: generated, with its source.
            real: the real samples that belong to the same sources.
            again: the generator, source -> samples.
        """
        return {}

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor | None:
        """Return samples (N, *sample_shape) made of sources without learning, the baseline of every score, or None."""
        return None

    def measures(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return scores that compare samples one by one, by the name of their curve, `quality/NAME`.

        Arguments as for `generator_terms`. The same is computed of real samples and of `unlearned` in the place of the
        generator.
        """
        return {}


def with_planes(image: Tensor, vector: Tensor) -> Tensor:
    """Return an image (N, C, H, W) with each number of a vector (N, F) as a further channel, constant over places."""
    if not vector.shape[1]:
        return image
    planes = vector[:, :, None, None].expand(-1, -1, *image.shape[2:])
    return torch.cat([image, planes], dim=1)
