"""The public image datasets that torchvision reads."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gan_cli.data.collection import ArrayCollection
from gan_cli.data.image_set import ImageSet
from gan_cli.data.places import download, downloads, given
from gan_cli.errors import UserError


class _TorchvisionSet(ImageSet):
    """A dataset that a class of torchvision downloads, checks and reads.

    Attributes:
        file: file in torchvision's root directory.
        expected: description of that file, for errors.
    """

    channels = 3
    file: ClassVar[str]
    expected: ClassVar[str]

    def collect(self) -> ArrayCollection:
        """Read local files, or download them.

        Raises:
            UserError: there are no files and the download fails, or they are not the published files.
        """
        if self.path is not None:
            root = self._given()
        elif (downloads(self.name) / self.file).exists():
            root = downloads(self.name)
        else:
            root = download(self.name, self.expected, lambda directory: self._torchvision(directory, download=True))
        try:
            return self._collection(self._torchvision(str(root), download=False))
        except (RuntimeError, OSError, ValueError, KeyError, EOFError) as error:
            raise UserError(f"{root / self.file} is damaged or incomplete ({error}); download it again") from error

    def _given(self) -> Path:
        directory = given(str(self.path), self.expected)
        if (directory / self.file).exists():
            return directory
        if directory.name == self.file:
            return directory.parent
        raise UserError(f"dataset.path={self.path} does not contain {self.expected}")

    @abstractmethod
    def _torchvision(self, root: str, download: bool) -> Any:
        """Return torchvision's own dataset."""

    @abstractmethod
    def _collection(self, found: Any) -> ArrayCollection:
        """Return its images and labels."""


class CIFAR10(_TorchvisionSet):
    """CIFAR-10's 50,000 training images, 32 x 32 in colour (Krizhevsky 2009)."""

    name = "cifar10"
    file = "cifar-10-batches-py"
    expected = "the directory cifar-10-batches-py (unpacked from cifar-10-python.tar.gz)"

    def _torchvision(self, root: str, download: bool) -> Any:
        from torchvision.datasets import CIFAR10 as Known  # takes seconds to import

        return Known(root, train=True, download=download)

    def _collection(self, found: Any) -> ArrayCollection:
        images = found.data.transpose(0, 3, 1, 2)
        return ArrayCollection(images, np.array(found.targets), tuple(found.classes), self.sides, self.fit)


class SVHN(_TorchvisionSet):
    """Street View House Numbers: 73,257 training images, 32 x 32 in colour, cropped digits (Netzer et al. 2011)."""

    name = "svhn"
    file = expected = "train_32x32.mat"

    def _torchvision(self, root: str, download: bool) -> Any:
        from torchvision.datasets import SVHN as Known  # takes seconds to import

        return Known(root, split="train", download=download)

    def _collection(self, found: Any) -> ArrayCollection:
        return ArrayCollection(found.data, found.labels, tuple("0123456789"), self.sides, self.fit)
