"""The public image datasets in the idx format."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from gan_cli.data.collection import ArrayCollection
from gan_cli.data.idx import Readable, read_idx
from gan_cli.data.image_set import ImageSet
from gan_cli.data.places import download, downloads, given
from gan_cli.errors import UserError

_SHIPPED_SHA256 = {
    "t10k-images-idx3-ubyte": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


class MNIST(ImageSet):
    """MNIST's 60,000 training images, 28 x 28 (LeCun et al. 1998)."""

    name = "mnist"
    channels = 1
    idx_files = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")
    torchvision_name = "MNIST"
    usual_places: ClassVar[tuple[Path, ...]] = ()

    def collect(self) -> ArrayCollection:
        """Read local files, or download them.

        Raises:
            UserError: there are no files and the download fails, or they are damaged.
        """
        return self._read(*(self._given() if self.path is not None else self._found()))

    def _read(
        self, images: Readable, labels: Readable, sha256: tuple[str | None, ...] = (None, None)
    ) -> ArrayCollection:
        x, y = read_idx(images, 3, sha256[0]), read_idx(labels, 1, sha256[1])
        if len(x) != len(y) or not len(x) or y.max() >= len(self.class_names):
            raise UserError(f"{images} and {labels} do not match: {len(x)} images, {len(y)} labels")
        return ArrayCollection(x[:, None], y, self.class_names, self.sides, self.fit)

    def _given(self) -> tuple[Path, ...]:
        pair = self._pair(given(str(self.path), self._expected()))
        if pair is None:
            raise UserError(f"dataset.path={self.path} does not contain {self._expected()}")
        return pair

    def _found(self) -> tuple[Path, ...]:
        for root in (*self.usual_places, downloads(self.name)):
            if (pair := self._pair(root)) is not None:
                return pair
        root = download(self.name, self._expected(), self._download)
        pair = self._pair(root)
        if pair is None:
            raise UserError(f"{root} does not contain {self._expected()} after the download; remove it and try again")
        return pair

    def _download(self, root: str) -> None:
        import torchvision.datasets as known  # takes seconds to import

        getattr(known, self.torchvision_name)(root, train=True, download=True)

    def _pair(self, root: Path) -> tuple[Path, ...] | None:
        """Return the files of images and labels below a directory, also in torchvision's layout."""
        for directory in (root, root / self.torchvision_name / "raw", root / "raw"):
            for ending in (".gz", ""):
                pair = tuple(directory / (file + ending) for file in self.idx_files)
                if all(file.is_file() for file in pair):
                    return pair
        return None

    def _expected(self) -> str:
        return " and ".join(f"{file}.gz" for file in self.idx_files) + " (or both unpacked)"


class FashionMNIST(MNIST):
    """Fashion-MNIST's 60,000 training images, 28 x 28 (Xiao et al. 2017)."""

    name = "fashion_mnist"
    class_names = _CLOTHES
    torchvision_name = "FashionMNIST"
    usual_places = (Path("/usr/share/datasets/fashion-mnist"),)  # Debian's dataset-fashion-mnist


class FashionMNIST10k(FashionMNIST):
    """Fashion-MNIST's 10,000 test images, 28 x 28, which are part of this package (Xiao et al. 2017).

    The package's own files are checked against their SHA-256; files at `path` are not checked.
    """

    name = "fashion_mnist_10k"
    idx_files = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

    def collect(self) -> ArrayCollection:
        """Read the package's own files and check their SHA-256, or read those at `path`.

        Raises:
            UserError: the files are damaged, or not at `path`.
        """
        if self.path is not None:
            return super().collect()
        shipped = files("gan_cli.data") / "files" / "fashion_mnist"
        images, labels = (shipped / f"{file}.gz" for file in self.idx_files)
        return self._read(images, labels, tuple(_SHIPPED_SHA256[file] for file in self.idx_files))
