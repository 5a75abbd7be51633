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
    """The output of an extractor for N images.

    Attributes:
        x: (N, F) float32.
        log_p: (N, K) float32, log-probabilities of the classes, or None if the extractor has no classes.
    """

    x: Tensor
    log_p: Tensor | None


class ExtractorChoice(ABC):
    """An extractor, or an object that chooses one by the data."""

    @abstractmethod
    def choose(self, data: RealData) -> Extractor:
        """Return the extractor for these data.

        Raises:
            UserError: no extractor suits the data.
        """


class Extractor(ExtractorChoice):
    """An extractor turns images into feature vectors, by which sets of images are compared.

    Attributes:
        name: name of the option.
        standard: its scores are those of the literature, so they have the plain names.
        rounds: it reads images rounded to 8 bits.
        class_names: names of the classes that it distinguishes in a grey image, or None.
        channels: of the images that it reads; None: any number.
        sha256: SHA-256 of its weights, once it is loaded; None if it has no weights.
    """

    name: ClassVar[str]
    standard: ClassVar[bool] = False
    rounds: ClassVar[bool] = False
    class_names: ClassVar[tuple[str, ...] | None] = None
    channels: ClassVar[tuple[int, ...] | None] = None
    sha256: str | None = None

    def choose(self, data: RealData) -> Extractor:
        """Return this extractor.

        Raises:
            UserError: it does not read images of so many channels.
        """
        if not self.reads(data):
            known = " or ".join(map(str, self.channels or ()))
            raise UserError(
                f"extractor={self.name}: it reads images of {known} channels, and these have {data.shape[0]}; "
                "extractor=pixels"
            )
        return self

    def reads(self, data: RealData) -> bool:
        """Return whether it reads images of so many channels."""
        return self.channels is None or len(data.shape) != 3 or data.shape[0] in self.channels

    @property
    @abstractmethod
    def resize(self) -> str:
        """How images are resized first, as text for the protocol."""

    @abstractmethod
    def load(self, device: torch.device) -> None:
        """Load the extractor on a device.

        Raises:
            UserError: its weights or its library are missing or damaged.
        """

    @abstractmethod
    def __call__(self, images: Tensor) -> Features:
        """Return the features of images (N, C, H, W) in [-1, 1], on the device."""

    def differentiable(self, images: Tensor) -> Features:
        """Return the same features, with a gradient to the images.

        Raises:
            UserError: this extractor has no gradient.
        """
        raise UserError(f"extractor={self.name} has no gradient to the images; use extractor=fashion_mnist")

    def columns(self, data: RealData) -> list[int] | None:
        """Return the extractor's class for each class of the data, None if it does not know one of them.

        The classes of C channels are the tuples of the classes of one, in the order of the stacked dataset.
        """
        if data.class_names is None or self.class_names is None or len(data.shape) != 3 or not self.reads(data):
            return None
        known = {name: i for i, name in enumerate(_joint(self.class_names, data.shape[0]))}
        found = [known.get(name) for name in data.class_names]
        return None if None in found else found


def _joint(names: Sequence[str], channels: int) -> list[str]:
    return [" ".join(joined) for joined in product(names, repeat=channels)]
