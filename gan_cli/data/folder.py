"""The dataset of any directory of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import numpy as np
from pydantic import Field, PositiveInt

from gan_cli.data.digest import Digest
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.fixed_set import Limit
from gan_cli.data.image_set import ImageSet
from gan_cli.data.listing import Listing, list_pictures
from gan_cli.data.pictures import colour_of, has_colour
from gan_cli.data.places import given
from gan_cli.errors import UserError

_EXAMINED = 32
_EXPECTED = "pictures, flat or in one sub-folder for each class"


class Folder(ImageSet):
    """Any directory of pictures, flat or with one sub-folder for each class; prepared once, then read from a file.

    The file is identified by the pictures' names, sizes and times of change, because to hash a million pictures
    takes as long as to decode them; the run's fingerprint is a hash of the pixels.

    Args:
        image_size: S; pictures are resized to cover a square of S x S and cropped at its centre.
        path: the directory; required.
        channels: 1 greyscale, 3 RGB; "auto": 1 if the headers of up to 32 pictures have no colours.
        background: colour behind transparent pictures, a name or #rrggbb.
        skip_bad: leave out pictures that cannot be read, and report how many.
        holdout: as `ImageSet`.
        limit: as `ImageSet`.
        classes: as `ImageSet`.
        resident: as `ImageSet`.
        flip: as `ImageSet`.
    """

    name = "folder"
    n_classes = None

    def __init__(
        self,
        image_size: Annotated[int, Field(ge=8, le=1024)],
        path: str | None = None,
        channels: Literal["auto", 1, 3] = "auto",
        background: str = "white",
        skip_bad: bool = False,
        holdout: Literal["auto"] | PositiveInt | Annotated[float, Field(gt=0, lt=1)] = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
    ) -> None:
        super().__init__(image_size, path, holdout, limit, classes, resident, flip)
        self.wanted_channels = channels
        self.background = background
        self.skip_bad = skip_bad
        self._listed: tuple[Path, Listing, int] | None = None

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, S, S), after listing the directory and reading some headers.

        Raises:
            UserError: there is no directory, or it has no pictures.
        """
        colour_of(self.background)
        return (self._look()[2], self.image_size, self.image_size)

    def expected_classes(self) -> int:
        """Return the number of sub-folders, 0 for a flat directory, after listing it."""
        names = self._look()[1].class_names
        return len(self.classes or names) if names else 0

    def collect(self) -> FileCollection:
        """List the pictures."""
        root, listing, channels = self._look()
        shape = (channels, self.image_size, self.image_size)
        background = colour_of(self.background)
        only_grey = self.wanted_channels == "auto" and channels == 1
        paths = [str(root / picture.name) for picture in listing.pictures]
        key = Digest()
        key.texts(picture.identity for picture in listing.pictures)
        key.texts([repr((shape, background, only_grey, self.skip_bad))])
        return FileCollection(
            paths,
            lambda position: open_picture(paths[position]),
            shape,
            key=key.text(),
            labels=listing.labels,
            class_names=listing.class_names,
            background=background,
            only_grey=only_grey,
            skip_bad=self.skip_bad,
            fix="repair or remove it, or skip such pictures with dataset.skip_bad=true",
        )

    def _look(self) -> tuple[Path, Listing, int]:
        if self._listed is None:
            if self.path is None:
                raise UserError(f"dataset=folder needs a directory of {_EXPECTED}; use dataset.path=DIRECTORY")
            root = given(self.path, _EXPECTED)
            listing = list_pictures(root)
            channels = channels_of(root, listing) if self.wanted_channels == "auto" else self.wanted_channels
            self._listed = (root, listing, channels)
        return self._listed


def channels_of(root: Path, listing: Listing) -> Literal[1, 3]:
    """Return 1 if the headers of up to 32 pictures, spread over the whole directory, have no colours, else 3."""
    n = len(listing.pictures)
    for position in np.unique(np.linspace(0, n - 1, min(n, _EXAMINED)).astype(int)).tolist():
        try:
            with open_picture(root / listing.pictures[position].name) as file:
                if has_colour(file):
                    return 3
        except OSError:  # reported with its name when the images are read
            continue
    return 1


def open_picture(path: str | Path) -> BinaryIO:
    """Open a file for `FileCollection`, which closes it."""
    return open(path, "rb")
