"""The dataset of any directory or .zip file of images."""

from __future__ import annotations

from typing import Literal

from gan_cli.core.shapes import ImageSize
from gan_cli.data.digest import Digest
from gan_cli.data.file_collection import FileCollection, some
from gan_cli.data.fitting import Fit
from gan_cli.data.fixed_set import Holdout, Limit
from gan_cli.data.image_set import ImageSet
from gan_cli.data.listing import ClassOrder, Listing, pictures_at
from gan_cli.data.pictures import colour_of, header_of, shows_background
from gan_cli.errors import UserError

SKIPPED = "but 16-bit grey"  # pictures of this kind were skipped by earlier versions
_EXPECTED = "pictures, flat or in one sub-folder for each class"


class Folder(ImageSet):
    """Any directory of pictures, flat or with one sub-folder for each class; prepared once, then read from a file.

    A .zip file is read as the directory that it would be unpacked into, without unpacking it. The prepared file is
    identified by the pictures' names, sizes and times of change (in a .zip file, checksums), because to hash a million
    pictures takes as long as to decode them; the run's fingerprint is a hash of the pixels.

    Args:
        image_size: as `ImageSet`.
        path: the directory, or the .zip file; required.
        channels: 1 greyscale, 3 RGB; "auto": 1 if the headers of up to 32 pictures have no colours.
        background: colour behind transparent pictures, and beside those that fit=pad makes whole, a name or #rrggbb.
        skip_bad: leave out pictures that cannot be read, and report how many.
        holdout: as `ImageSet`.
        limit: as `ImageSet`.
        classes: as `ImageSet`.
        resident: as `ImageSet`.
        flip: as `ImageSet`.
        fit: as `ImageSet`.
        class_order: of the sub-folders: `natural`, numbers in their names by value, so 2 is before 10; or `text`, which
            runs of earlier versions have.
    """

    name = "folder"
    n_classes = None

    def __init__(
        self,
        image_size: ImageSize,
        path: str | None = None,
        channels: Literal["auto", 1, 3] = "auto",
        background: str = "white",
        skip_bad: bool = False,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
        fit: Fit = "crop",
        class_order: ClassOrder = "text",
    ) -> None:
        super().__init__(image_size, path, holdout, limit, classes, resident, flip, fit)
        self.wanted_channels = channels
        self.background = background
        self.skip_bad = skip_bad
        self.class_order = class_order
        self._listed: tuple[Listing, int] | None = None

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, H, W), after listing the directory and reading some headers.

        Raises:
            UserError: there is no directory, or it has no pictures.
        """
        colour_of(self.background)
        return (self._look()[1], *self.sides)

    def expected_classes(self) -> int:
        """Return the number of sub-folders, 0 for a flat directory, after listing it."""
        names = self._look()[0].class_names
        return len(self.classes or names) if names else 0

    def collect(self) -> FileCollection:
        """List the pictures."""
        listing, channels = self._look()
        shape = (channels, *self.sides)
        background = colour_of(self.background)
        only_grey = self.wanted_channels == "auto" and channels == 1
        key = Digest()
        key.texts(picture.identity for picture in listing.pictures)
        key.texts([repr((shape, background, only_grey, self.skip_bad and SKIPPED))])
        return FileCollection(
            [listing.shown(picture) for picture in listing.pictures],
            listing.read,
            shape,
            key=key.text(),
            pictures=listing.files(),
            labels=listing.labels,
            class_names=listing.class_names,
            fit=self.fit,
            background=background,
            only_grey=only_grey,
            skip_bad=self.skip_bad,
            unused=listing.unused,
            fix="repair or remove it, or skip such pictures with dataset.skip_bad=true",
            note="" if self.classes else listing.note,
        )

    def unlabelled(self) -> str:
        """Return where labels may be, for a user who asks for some; '' where no place is known."""
        return self._look()[0].note if self.path else ""

    def listing(self) -> Listing:
        """Return the pictures.

        Raises:
            UserError: there are none.
        """
        if self.path is None:
            raise UserError(f"dataset=folder needs a directory of {_EXPECTED}; use dataset.path=DIRECTORY")
        return pictures_at(self.path, _EXPECTED, class_order=self.class_order)

    def _look(self) -> tuple[Listing, int]:
        if self._listed is None:
            listing = self.listing()
            channels = channels_of(listing, self.background) if self.wanted_channels == "auto" else self.wanted_channels
            self._listed = (listing, channels)
        return self._listed


def channels_of(listing: Listing, background: str) -> Literal[1, 3]:
    """Return 1 if up to 32 pictures, spread over the whole directory, have no colours and show none, else 3.

    Args:
        listing: the pictures, whose headers are read.
        background: of them; if it has a colour, pictures are read to see whether they are transparent.
    """
    n = len(listing.pictures)
    if any(header.has_colour for header in some(header_of, n, listing.read)):
        return 3
    coloured = len(set(colour_of(background))) > 1
    return 3 if coloured and any(some(shows_background, n, listing.read)) else 1
