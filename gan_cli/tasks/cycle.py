"""Translation between two sets of images without pairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_cli.core.curves import Curve
from gan_cli.data.loader import to_bytes
from gan_cli.data.source import Batch, Dataset, RealData
from gan_cli.data.two_sets import two_sets
from gan_cli.errors import UserError
from gan_cli.metrics.fidelity import fidelity
from gan_cli.models.two_domains import TwoDomains, exchanged
from gan_cli.rng import Draws
from gan_cli.tasks.base import Generate, Term, with_planes


class Cycle(Generate):
    """CycleGAN (Zhu et al. 2017, equations 1 to 3): two generators, A to B and B to A, each with its critic.

    The two generators are one player and the two critics the other, as the authors train them. A batch has images of A
    in its even rows and of B in its odd ones, and the source of each row is the other of its pair: the generator of
    even rows writes A from B. The paper's objective is a sum over both directions; here all terms are means over the
    batch, which halves each of them alike. Difference from the paper: a batch has many images; train.batch_size=2, one
    of each domain, is the paper's.

    Args:
        dataset_b: the images of domain B; `dataset` has those of A.
        cycle_weight: lambda of the cycle consistency |F(G(a)) - a|.
        identity_weight: of |G(b) - b|, as a factor of cycle_weight (section 5.2, photo generation; 0.5 in the authors'
            code).
        history: generated images of each domain that are kept; the critics learn from one of them in half of the cases
            (Shrivastava et al. 2017; section 4); 0: from the newest alone.
        adversarial_weight: of the game in the generator's objective; the paper's (D - 1)^2 is twice that of loss=lsgan.

    Raises:
        ValueError: no weight is above 0.
    """

    reads = "image"
    twofold = True
    logged = (
        Curve(
            "generator/cycle",
            "pixel value",
            "lower",
            "mean difference of an image from its translation there and back",
            chart=("Content", "cycle"),
        ),
        Curve(
            "generator/identity",
            "pixel value",
            "lower",
            "mean difference of an image from its translation into its own domain",
            chart=("Content", "identity"),
        ),
    )
    baseline = "the image of the other domain itself"
    pairs = "each image and its translation there and back"

    def __init__(
        self,
        dataset_b: Dataset,
        cycle_weight: NonNegativeFloat = 10.0,
        identity_weight: NonNegativeFloat = 0.5,
        history: NonNegativeInt = 50,
        adversarial_weight: NonNegativeFloat = 2.0,
    ) -> None:
        super().__init__()
        if not cycle_weight and not adversarial_weight:
            raise ValueError("cycle_weight=0 and adversarial_weight=0: the generator would have nothing to minimise")
        self.dataset_b = dataset_b
        self.cycle_weight, self.identity_weight, self.history = cycle_weight, identity_weight, history
        self.adversarial_weight = adversarial_weight

    @property
    def has_terms(self) -> bool:
        """Whether the generator minimises further terms."""
        return True

    def expected_shapes(self, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shape of the images twice.

        Raises:
            UserError: the two sets have images of different shapes.
        """
        if (flips := [getattr(found, "flip", False) for found in (dataset, self.dataset_b)])[0] != flips[1]:
            raise UserError(
                f"dataset.flip={str(flips[0]).lower()} and dataset_b.flip={str(flips[1]).lower()}: task=cycle reflects "
                "the images of both domains, or none; give both the same value"
            )
        shape = tuple(dataset.expected_shape())
        with _named_b():
            shape_b = tuple(self.dataset_b.expected_shape())
        _require_equal(shape, shape_b)
        return shape, shape_b

    def expected_classes(self, dataset: Dataset) -> int | None:
        """Return 0: images without pairs have no labels in common."""
        return 0

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the images: a source is an image of the other domain."""
        return sample_shape

    def build(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> None:
        """Make the buffers that keep earlier images."""
        if self.history:
            self.register_buffer("kept", torch.zeros(2 * self.history, *sample_shape))
            self.register_buffer("n_kept", torch.zeros((), dtype=torch.int64))

    def players(self, make: Callable[[], nn.Module]) -> nn.Module:
        """Return a player's two networks as one."""
        return TwoDomains(make(), make())

    def open(self, dataset: Dataset, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Open both sets of images; a batch has as many of each.

        Raises:
            UserError: an odd batch, or sets of different shapes.
        """
        if batch_size % 2:
            raise UserError(
                f"train.batch_size={batch_size}: task=cycle takes as many images of each domain: "
                f"train.batch_size={batch_size + 1}"
            )
        a = dataset.open(batch_size // 2, seed, device)
        with _named_b():
            b = self.dataset_b.open(batch_size // 2, seed, device)
        _require_equal(a.shape, b.shape)
        return two_sets(a, b)

    def with_source(self, batch: Batch, draws: Draws) -> Batch:
        """Return the batch with the other image of each pair as its source."""
        return batch._replace(source=exchanged(batch.x))

    def generator_input(self, source: Tensor | None, z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Return the sources with z's numbers as further channels."""
        return (with_planes(source, z), *others)

    @torch.no_grad()
    def remembered(self, fake: Batch, draws: Draws) -> Batch:
        """Return the fakes, half of them in exchange for kept ones, which they replace, once the memory is full."""
        if not self.history:
            return fake
        x = fake.x.unflatten(0, (-1, 2)).transpose(0, 1)  # (2, N, C, H, W)
        n = min(x.shape[1], self.history)
        new, rest = x[:, :n], x[:, n:]
        capacity = self.history // n * n  # whole batches, so that no two images of one have the same place
        u = draws.uniform("history", len(fake.x), capacity + 1)
        filling = self.n_kept < capacity
        place = torch.where(filling, self.n_kept + torch.arange(n, device=x.device), u[0, 1:].argsort()[:n])
        place = place.clamp(max=capacity - 1)
        exchange = (~filling & (u[:n, 0] < 0.5))[None, :, None, None, None]
        kept = self.kept.unflatten(0, (2, -1))
        before = kept[:, place]
        kept[:, place] = torch.where(filling | exchange, new, before)
        self.n_kept.add_(torch.where(filling, n, 0))
        seen = torch.cat([torch.where(exchange, before, new), rest], dim=1)
        return fake._replace(x=seen.transpose(0, 1).flatten(0, 1))

    def panels(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Return the sources, their translations, and the translations back."""
        return [fake.source, fake.x, exchanged(again(exchanged(fake.x)))]

    def generator_terms(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, Term]:
        """Return the cycle consistency and the identity term."""
        terms = {"cycle": Term(l1_loss(again(exchanged(fake.x)), real.x), self.cycle_weight)}
        if self.identity_weight:
            weight = self.cycle_weight * self.identity_weight
            terms["identity"] = Term(l1_loss(again(real.x), real.x), weight)
        return terms

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
        """Return the sources: images that are not translated."""
        return source

    def measures(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return PSNR and SSIM of the translations there and back; images that are not translated have the best."""
        return fidelity(to_bytes(again(exchanged(fake.x))), to_bytes(real.x), "there_and_back")


@contextmanager
def _named_b() -> Iterator[None]:
    """Let an error of a dataset name the keys of dataset_b."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"\bdataset(?=[.=])", "dataset_b", str(error))) from error


def _require_equal(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if a != b or len(a) != 3:
        raise UserError(
            f"task=cycle: dataset has samples of {list(a)} and dataset_b of {list(b)}, and both must be images of one "
            "shape: the same image_size and channels for both"
        )
