"""The CelebA dataset of aligned faces."""

from __future__ import annotations

from pathlib import Path

from gan_cli.data.digest import Digest
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.image_set import ImageSet
from gan_cli.data.listing import list_pictures
from gan_cli.data.places import download, downloads, given, placing, require
from gan_cli.errors import UserError

_FACES = "img_align_celeba"
_EXPECTED = f"the directory {_FACES} (202,599 .jpg files, unpacked from {_FACES}.zip)"


class CelebA(ImageSet):
    """CelebA's 202,599 aligned and cropped faces, 178 x 218 in colour (Liu et al. 2015).

    It has all three partitions, as is usual for GANs; `holdout` decides what is held out. Its 40 attributes are not
    classes, so there are no labels.
    """

    name = "celeba"
    channels = 3
    n_classes = 0

    def collect(self) -> FileCollection:
        """Find the pictures, or download them with torchvision.

        Raises:
            UserError: there are no pictures and the download fails, or gdown is not installed.
        """
        root = self._root()
        listing = list_pictures(root)
        paths = [str(root / picture.name) for picture in listing.pictures]
        shape = (3, *self.sides)
        key = Digest()
        key.texts(picture.identity for picture in listing.pictures)
        return FileCollection(
            paths,
            lambda position: open(paths[position], "rb"),
            shape,
            key=key.text(),
            pictures=listing.files(),
            fit=self.fit,
            background=(0, 0, 0),
            unused=listing.unused,
        )

    def _root(self) -> Path:
        if self.path is not None:
            found = _below(given(self.path, _EXPECTED))
            if found is None:
                raise UserError(f"dataset.path={self.path} does not contain {_EXPECTED}")
            return found
        found = _below(downloads(self.name))
        if found is None:
            require("gdown", "celeba", self.name, "downloads it", placing(self.name, _EXPECTED))
            found = _below(download(self.name, _EXPECTED, _download))
        if found is None:
            raise UserError(f"{downloads(self.name)} does not contain {_EXPECTED}; remove it and try again")
        return found


def _download(root: str) -> None:
    from torchvision.datasets import CelebA as Known  # takes seconds to import

    Known(root, split="all", download=True)


def _below(root: Path) -> Path | None:
    """Return the directory of faces at or below a directory, also in torchvision's layout."""
    places = (root / "celeba" / _FACES, root / _FACES, root)
    return next((p for p in places if p.is_dir() and (p.name == _FACES or (p / "000001.jpg").is_file())), None)
