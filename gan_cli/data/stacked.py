"""The dataset of stacked grey images: three images in the channels of one, and a mode for each triple of classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from gan_cli.core.shapes import ImageSize
from gan_cli.data.collection import Collection
from gan_cli.data.digest import digest
from gan_cli.data.fitting import Fit
from gan_cli.data.fixed_set import Holdout, Limit
from gan_cli.data.folder import Folder
from gan_cli.data.image_set import ImageSet
from gan_cli.data.images import MNIST, FashionMNIST, FashionMNIST10k
from gan_cli.data.loader import Order
from gan_cli.data.source import Batch, RealData, Source
from gan_cli.rng import generator

CHANNELS = 3
_OF = {kind.name: kind for kind in (FashionMNIST10k, FashionMNIST, MNIST)}


class Stacked(ImageSet):
    """Three images, drawn independently, as red, green and blue (Metz et al. 2017; Lin et al. 2018, PacGAN).

    Batch k is a function of (seed, k); no triple is ever stored. Held-out triples are of held-out images. The class of
    classes a, b, c is (a n + b) n + c, with n classes: 100 a + 10 b + c for ten.

    Args:
        of: the dataset of greyscale images; `folder` has its directory in `path`.
        image_size: as `ImageSet`.
        path: as `ImageSet`, of the greyscale images.
        holdout: as `ImageSet`, counted in greyscale images.
        limit: as `ImageSet`, counted in greyscale images.
        classes: as `ImageSet`, of the greyscale images.
        resident: as `ImageSet`.
        flip: as `ImageSet`.
        fit: as `ImageSet`.
    """

    name = "stacked"
    channels = CHANNELS

    def __init__(
        self,
        of: Literal["fashion_mnist_10k", "fashion_mnist", "mnist", "folder"] = "fashion_mnist_10k",
        image_size: ImageSize = 32,
        path: str | None = None,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
        fit: Fit = "crop",
    ) -> None:
        super().__init__(image_size, path, holdout, limit, classes, resident, flip, fit)
        common = (holdout, limit, classes, resident, False, fit)
        if of == "folder":
            self._grey: ImageSet = Folder(image_size, path, 1, "white", False, *common)
        else:
            self._grey = _OF[of](image_size, path, *common)

    def expected_shape(self) -> tuple[int, ...]:
        """Return (3, H, W)."""
        return (CHANNELS, *self._grey.expected_shape()[1:])

    def expected_classes(self) -> int | None:
        """Return the number of triples of classes; 0 without labels, None for unknown, as for the greyscale images."""
        n = self._grey.expected_classes()
        return None if n is None else n**CHANNELS

    def collect(self) -> Collection:
        """Find the files of the greyscale images."""
        return self._grey.collect()

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split the greyscale images.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        grey = super().open(batch_size, seed, device)
        names = grey.class_names
        n = len(names or ())
        return dataclasses.replace(
            grey,
            shape=(CHANNELS, *grey.shape[1:]),
            class_names=None
            if names is None
            else tuple(" ".join(triple) for triple in product(names, repeat=CHANNELS)),
            train=_Triples(grey.train, n),
            heldout=_Triples(grey.heldout, n),
            fingerprint=digest("stacked", grey.fingerprint),
            fixed=_fixed_triples(grey, n),
            class_sizes=None,
        )

    def _named(self) -> str:
        return f"{super()._named()} of {self._grey.name}"

    def _order(self, n: int, batch_size: int, seed: int, stream: str, device: torch.device) -> Order:
        return _Draws(n, batch_size, seed, stream, device)


class _Draws(Order):
    """The draws of batch k: three images for each triple, independent of each other and of all other batches."""

    def indices(self, k: int) -> Tensor:
        """Return (3 batch_size,) int64 indices in [0, n): for the first channel, then the second, then the third."""
        rng = generator("cpu", self._seed, "stacked", self._stream, k)
        return torch.randint(self.n, (CHANNELS * self.batch_size,), generator=rng).to(self._device)


class _Triples:
    """A source that makes one batch of colour images from three batches of greyscale images."""

    endless = True  # triples, of as many grey images as `size` says

    def __init__(self, grey: Source, n_classes: int) -> None:
        self.size = grey.size
        self._grey, self._n_classes = grey, n_classes

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return the draws of the greyscale source."""
        return self._grey.draw(k)

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the drawn images, stacked."""
        return stack(self._grey.batch(*drawn), self._n_classes)


def stack(grey: Batch, n_classes: int) -> Batch:
    """Return colour images (N, 3, H, W) and their classes (N,) of greyscale ones (3 N, 1, H, W), channel by channel."""
    x = torch.cat(grey.x.chunk(CHANNELS), dim=1)
    if grey.y is None:
        return Batch(x, None)
    a, b, c = grey.y.chunk(CHANNELS)
    return Batch(x, (a * n_classes + b) * n_classes + c)


def _fixed_triples(grey: RealData, n_classes: int) -> Callable[[int], Batch]:
    """Return n triples of shuffled images; if there are fewer images, they repeat in turn."""

    def triples(n: int) -> Batch:
        found = grey.fixed(CHANNELS * n)
        order = torch.randperm(CHANNELS * n, generator=generator("cpu", 0, "stacked", "fixed")).to(found.x.device)
        return stack(Batch(found.x[order], None if found.y is None else found.y[order]), n_classes)

    return triples
