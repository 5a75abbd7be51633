"""The dataset of pictures in pairs: side by side in one file, or of the same name in two directories."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.core.shapes import ImageSize
from gan_cli.core.text import visible
from gan_cli.data.collection import Pictures
from gan_cli.data.digest import Digest
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.fitting import Fit
from gan_cli.data.fixed_set import Holdout, Limit
from gan_cli.data.folder import SKIPPED, channels_of
from gan_cli.data.image_set import ImageSet
from gan_cli.data.listing import ClassOrder, Listing, Picture, pictures_at
from gan_cli.data.pictures import BadPicture, Header, colour_of, fitted, read_upright
from gan_cli.data.source import Batch, RealData, Source
from gan_cli.errors import UserError

_EXPECTED = "pictures of two halves side by side, A | B; or, with dataset.path_b=DIRECTORY, the pictures of A"
_EXPECTED_B = "the pictures of B, each with the name of its partner in dataset.path"


class Pairs(ImageSet):
    """Pictures in pairs (A, B), one of which the generator reads, and the other of which it should write.

    They lie side by side in one file, as the authors of pix2pix keep them, or in two directories, where the names
    without their endings tell which belong together. A pair is prepared, split and kept as one image is: A is in the
    first channels, B in the others. Sub-folders are classes, as of dataset=folder.

    Args:
        image_size: as `ImageSet`, of each picture.
        path: the directory of both, or of A, or a .zip file of them; required.
        path_b: the directory of B; None: `path` has both, side by side.
        direction: what the generator reads and writes: A and B, or B and A.
        channels: of each picture, 1 greyscale, 3 RGB; "auto": 1 if the headers of up to 32 pictures have no colours.
        background: colour behind transparent pictures, and beside those that fit=pad makes whole, a name or #rrggbb.
        skip_bad: leave out pairs that cannot be read, and report how many.
        holdout: as `ImageSet`.
        limit: as `ImageSet`.
        classes: as `ImageSet`.
        resident: as `ImageSet`.
        flip: as `ImageSet`, both pictures of a pair alike.
        fit: as `ImageSet`, both pictures of a pair alike.
        class_order: as `Folder`.
    """

    name = "pairs"
    n_classes = None

    def __init__(
        self,
        image_size: ImageSize,
        path: str | None = None,
        path_b: str | None = None,
        direction: Literal["a_to_b", "b_to_a"] = "a_to_b",
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
        self.path_b = path_b
        self.direction = direction
        self.wanted_channels = channels
        self.background = background
        self.skip_bad = skip_bad
        self.class_order = class_order
        self._found: _Found | None = None

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, H, W) of what is written, after listing the directories and reading some headers.

        Raises:
            UserError: there are no pictures, or some have no partner.
        """
        colour_of(self.background)
        return (self._look().channels, *self.sides)

    def expected_source_shape(self) -> tuple[int, ...]:
        """Return the shape of what is read, which is that of what is written."""
        return self.expected_shape()

    def expected_classes(self) -> int:
        """Return the number of sub-folders, 0 for flat directories, after listing them."""
        names = self._look().class_names
        return len(self.classes or names) if names else 0

    def collect(self) -> FileCollection:
        """List the pairs."""
        found = self._look()
        background = colour_of(self.background)
        only_grey = self.wanted_channels == "auto" and found.channels == 1
        shape = (2 * found.channels, *self.sides)
        place = " and ".join(os.path.abspath(one.root) for one in found.listings)
        key = Digest()
        key.texts(picture.identity for pictures in found.pictures for picture in pictures)
        key.texts([repr((shape, background, only_grey, self.skip_bad and SKIPPED, len(found.pictures)))])
        return _PairCollection(
            [dataclasses.replace(one, pictures=own) for one, own in zip(found.listings, found.pictures, strict=True)],
            shape=shape,
            key=key.text(),
            pictures=Pictures(place, lambda i: "\n".join(one[i].identity for one in found.pictures)),
            labels=found.labels,
            class_names=found.class_names,
            fit=self.fit,
            background=background,
            only_grey=only_grey,
            skip_bad=self.skip_bad,
            unused=[one for listing in found.listings for one in listing.unused],
            fix="repair or remove it, or skip such pairs with dataset.skip_bad=true",
            note="" if self.classes else found.listings[0].note,
        )

    def unlabelled(self) -> str:
        """Return where labels may be, for a user who asks for some; '' where no place is known."""
        return self._look().listings[0].note

    def open(self, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Read, prepare and split the pairs.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        both = super().open(batch_size, seed, device)
        shape = (both.shape[0] // 2, *both.shape[1:])
        return dataclasses.replace(
            both,
            shape=shape,
            source_shape=shape,
            train=_Divided(both.train, self.direction),
            heldout=_Divided(both.heldout, self.direction),
            fixed=lambda n: _divided(both.fixed(n), self.direction),
        )

    def _look(self) -> _Found:
        if self._found is None:
            if self.path is None:
                raise UserError(f"dataset=pairs needs a directory of {_EXPECTED}; use dataset.path=DIRECTORY")
            listings = [pictures_at(self.path, _EXPECTED, class_order=self.class_order)]
            if self.path_b is not None:
                listings.append(pictures_at(self.path_b, _EXPECTED_B, "dataset.path_b"))
            channels = self.wanted_channels
            if channels == "auto":
                channels = max(channels_of(listing, self.background) for listing in listings)
            labels, class_names = listings[0].labels, listings[0].class_names
            self._found = _Found(listings, _matched(listings), labels, class_names, channels)
        return self._found


class _Found(NamedTuple):
    """What one directory holds, where a file has both pictures of a pair; or two, whose pictures are in one order."""

    listings: list[Listing]
    pictures: list[list[Picture]]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    channels: int


def _matched(listings: Sequence[Listing]) -> list[list[Picture]]:
    """Return the pictures of each directory, those of the second in the order of their partners in the first.

    Raises:
        UserError: a picture has no partner, or two.
    """
    if len(listings) == 1:
        return [listings[0].pictures]
    a, b = map(_by_name, listings)
    alone = [listings[0].shown(a[name]) for name in a if name not in b]
    alone += [listings[1].shown(b[name]) for name in b if name not in a]
    if alone:
        places = f"dataset.path={listings[0].root} and dataset.path_b={listings[1].root}"
        raise UserError(
            f"{places}: {len(alone)} of {len(a) + len(b)} pictures have no partner of the same name in the other "
            f"directory; the first is {visible(alone[0])}"
        )
    return [list(a.values()), [b[name] for name in a]]


def _by_name(listing: Listing) -> dict[str, Picture]:
    """Return the pictures by their names without endings."""
    found: dict[str, Picture] = {}
    for picture in listing.pictures:
        name = os.path.splitext(picture.name)[0]
        if name in found:
            names = visible(f"{found[name].name} and {picture.name}")
            raise UserError(f"{listing.root}: {names} have the same name, so their partner is unclear")
        found[name] = picture
    return found


class _PairCollection(FileCollection):
    """Pairs of pictures.

    Args:
        listings: of pictures A | B side by side; or of A and of B, in one order.
        others: as `FileCollection`; the shape is that of a prepared pair, (2 C, H, W).
    """

    def __init__(self, listings: Sequence[Listing], **others: Any) -> None:
        first, *second = listings
        super().__init__([first.shown(picture) for picture in first.pictures], first.read, **others)
        self._partners = second[0] if second else None

    def prepare(self, position: int) -> np.ndarray:
        """Return both pictures of a pair, (2 C, H, W) uint8; may raise what that of `FileCollection` does."""
        with self.opened(position) as file:
            first = read_upright(file, self._background)
        pair = _halves(first) if self._partners is None else (first, self._partner(position, first.size))
        shape = (self.shape[0] // 2, *self.shape[1:])
        return np.concatenate([fitted(image, shape, self._only_grey, self.fit, self._background) for image in pair])

    def seen(self, header: Header) -> Header:
        """Return the header of one picture of a pair."""
        height, width = header.sides
        return header if self._partners else header._replace(sides=(height, max(1, width // 2)))

    def _partner(self, position: int, size: tuple[int, int]) -> Image.Image:
        path = visible(self._partners.shown(self._partners.pictures[position]))
        try:
            with self._partners.read(position) as file:
                found = read_upright(file, self._background)
        except (BadPicture, OSError) as error:
            raise BadPicture(f"its partner {path}: {error}") from error
        if found.size != size:
            raise BadPicture(f"{_shown(size)}, and its partner {path} has {_shown(found.size)}")
        return found


def _halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    width, height = image.size
    if width % 2:
        raise BadPicture(f"{_shown(image.size)}: two pictures of equal width side by side need an even width")
    return image.crop((0, 0, width // 2, height)), image.crop((width // 2, 0, width, height))


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


class _Divided:
    """A stream of pairs, from a stream of images with the channels of both."""

    def __init__(self, both: Source, direction: str) -> None:
        self.size = both.size
        self._both, self._direction = both, direction

    def draw(self, k: int) -> tuple[Tensor, ...]:
        """Return what the stream of both draws."""
        return self._both.draw(k)

    def batch(self, *drawn: Tensor) -> Batch:
        """Return the drawn pairs."""
        return _divided(self._both.batch(*drawn), self._direction)


def _divided(both: Batch, direction: str) -> Batch:
    """Return what is written and, as its source, what is read, of images (N, 2 C, H, W)."""
    a, b = (half.contiguous() for half in both.x.chunk(2, dim=1))
    return Batch(b, both.y, None, a) if direction == "a_to_b" else Batch(a, both.y, None, b)
