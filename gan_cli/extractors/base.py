"""The role of a feature extractor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli.data.source import RealData
from gan_cli.errors import UserError


class Features(NamedTuple):
    """What an extractor makes of N images.

    Attributes:
        x: (N, F) float32.
        log_p: (N, K) float32, log-probabilities of the classes, or None where the extractor knows none.
    """

    x: Tensor
    log_p: Tensor | None


class ExtractorChoice(ABC):
    """An extractor, or what chooses one by the data."""

    @abstractmethod
    def choose(self, data: RealData) -> Extractor:
        """Return the extractor that is used on these data.

        Raises:
            UserError: there is none that can be.
        """


class Extractor(ExtractorChoice):
    """Images as feature vectors in which sets of images are compared.

    Attributes:
        name: as the option is called.
        standard: its scores are those of the literature, so they go by their plain names.
        class_names: of the classes that it distinguishes in a grey image, or None.
        sha256: of its weights, once it is loaded; None where it has none.
    """

    name: ClassVar[str]
    standard: ClassVar[bool] = False
    class_names: ClassVar[tuple[str, ...] | None] = None
    sha256: str | None = None

    def choose(self, data: RealData) -> Extractor:
        """Return this one."""
        return self

    @property
    @abstractmethod
    def resize(self) -> str:
        """Return what is done to the images first, for the protocol."""

    @abstractmethod
    def load(self, device: torch.device) -> None:
        """Make ready on a device.

        Raises:
            UserError: its weights or the library that it needs are not there, or damaged.
        """

    @abstractmethod
    def __call__(self, images: Tensor) -> Features:
        """Return the features of images (N, C, H, W) in [-1, 1], on the device."""

    def differentiable(self, images: Tensor) -> Features:
        """Return the same, with a gradient to the images.

        Raises:
            UserError: this extractor has none.
        """
        raise UserError(f"extractor={self.name} has no gradient to the images; extractor=fashion_mnist has")

    def columns(self, data: RealData) -> list[int] | None:
        """Return which of its classes each class of the data is, None where one of them is unknown to it.

        The classes of C channels are the products of those of one, as the stacked set names them.
        """
        if data.class_names is None or self.class_names is None or len(data.shape) != 3:
            return None
        known = {name: i for i, name in enumerate(_joint(self.class_names, data.shape[0]))}
        found = [known.get(name) for name in data.class_names]
        return None if None in found else found


def _joint(names: Sequence[str], channels: int) -> list[str]:
    return [" ".join(joined) for joined in product(names, repeat=channels)]
