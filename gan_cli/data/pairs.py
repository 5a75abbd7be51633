"""The dataset of pictures in pairs: side by side in one file, or of the same name in two directories."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from pydantic import Field, PositiveInt
from torch import Tensor

from gan_cli.data.digest import Digest
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.folder import channels_of, open_picture
from gan_cli.data.image_set import ImageSet, Limit
from gan_cli.data.listing import Listing, Picture, list_pictures
from gan_cli.data.pictures import BadPicture, colour_of, read_upright, squared
from gan_cli.data.places import given
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
        image_size: S; both pictures of a pair are resized to cover a square of S x S and cropped at its centre.
        path: the directory of both, or of A; required.
        path_b: the directory of B; None: `path` has both, side by side.
        direction: what the generator reads and writes: A and B, or B and A.
        channels: of each picture, 1 greyscale, 3 RGB; "auto": 1 if the headers of up to 32 pictures have no colours.
        background: colour behind transparent pictures, a name or #rrggbb.
        skip_bad: leave out pairs that cannot be read, and report how many.
        holdout: as `ImageSet`.
        limit: as `ImageSet`.
        classes: as `ImageSet`.
        resident: as `ImageSet`.
        flip: as `ImageSet`, both pictures of a pair alike.
    """

    name = "pairs"
    n_classes = None

    def __init__(
        self,
        image_size: Annotated[int, Field(ge=8, le=1024)],
        path: str | None = None,
        path_b: str | None = None,
        direction: Literal["a_to_b", "b_to_a"] = "a_to_b",
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
        self.path_b = path_b
        self.direction = direction
        self.wanted_channels = channels
        self.background = background
        self.skip_bad = skip_bad
        self._found: _Found | None = None

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, S, S) of what is written, after listing the directories and reading some headers.

        Raises:
            UserError: there are no pictures, or some have no partner.
        """
        colour_of(self.background)
        return (self._look().channels, self.image_size, self.image_size)

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
        shape = (2 * found.channels, self.image_size, self.image_size)
        key = Digest()
        key.texts(picture.identity for pictures in found.pictures for picture in pictures)
        key.texts([repr((shape, background, only_grey, self.skip_bad, len(found.roots)))])
        return _PairCollection(
            *([str(root / p.name) for p in pictures] for root, pictures in zip(*found[:2], strict=True)),
            shape=shape,
            key=key.text(),
            labels=found.labels,
            class_names=found.class_names,
            background=background,
            only_grey=only_grey,
            skip_bad=self.skip_bad,
            fix="repair or remove it, or skip such pairs with dataset.skip_bad=true",
        )

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
            roots = [given(self.path, _EXPECTED)]
            listings = [list_pictures(*roots)]
            if self.path_b is not None:
                roots.append(given(self.path_b, _EXPECTED_B, "dataset.path_b"))
                listings.append(list_pictures(roots[1], "dataset.path_b"))
            channels = self.wanted_channels
            if channels == "auto":
                channels = max(channels_of(*of) for of in zip(roots, listings, strict=True))
            labels, class_names = listings[0].labels, listings[0].class_names
            self._found = _Found(roots, _matched(roots, listings), labels, class_names, channels)
        return self._found


class _Found(NamedTuple):
    """What one directory holds, where a file has both pictures of a pair; or two, whose pictures are in one order."""

    roots: list[Path]
    pictures: list[list[Picture]]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    channels: int


def _matched(roots: Sequence[Path], listings: Sequence[Listing]) -> list[list[Picture]]:
    """Return the pictures of each directory, those of the second in the order of their partners in the first.

    Raises:
        UserError: a picture has no partner, or two.
    """
    if len(roots) == 1:
        return [listings[0].pictures]
    a, b = (_by_name(*of) for of in zip(roots, listings, strict=True))
    alone = [str(roots[0] / a[name].name) for name in a if name not in b]
    alone += [str(roots[1] / b[name].name) for name in b if name not in a]
    if alone:
        raise UserError(
            f"dataset.path={roots[0]} and dataset.path_b={roots[1]}: {len(alone)} of {len(a) + len(b)} pictures have "
            f"no partner of the same name in the other directory; the first is {alone[0]}"
        )
    return [list(a.values()), [b[name] for name in a]]


def _by_name(root: Path, listing: Listing) -> dict[str, Picture]:
    """Return the pictures by their names without endings."""
    found: dict[str, Picture] = {}
    for picture in listing.pictures:
        name = os.path.splitext(picture.name)[0]
        if name in found:
            raise UserError(
                f"{root}: {found[name].name} and {picture.name} have the same name, so their partner is unclear"
            )
        found[name] = picture
    return found


class _PairCollection(FileCollection):
    """Pairs of pictures.

    Args:
        paths: of files with both pictures side by side, or with the first of each pair.
        partners: of files with the second of each pair; None: `paths` have both.
        others: as `FileCollection`; the shape is that of a prepared pair, (2 C, S, S).
    """

    def __init__(self, paths: Sequence[str], partners: Sequence[str] | None = None, **others: Any) -> None:
        super().__init__(paths, lambda position: open_picture(paths[position]), **others)
        self._partners = partners

    def prepare(self, position: int) -> np.ndarray:
        """Return both pictures of a pair, (2 C, S, S) uint8; may raise what that of `FileCollection` does."""
        with self._read(position) as file:
            first = read_upright(file, self._background)
        pair = (
            _halves(first) if self._partners is None else (first, self._partner(self._partners[position], first.size))
        )
        shape = (self.shape[0] // 2, *self.shape[1:])
        return np.concatenate([squared(image, shape, self._only_grey) for image in pair])

    def _partner(self, path: str, size: tuple[int, int]) -> Image.Image:
        try:
            with open_picture(path) as file:
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
    """Return what is written and, as its source, what is read, of images (N, 2 C, S, S)."""
    a, b = (half.contiguous() for half in both.x.chunk(2, dim=1))
    return Batch(b, both.y, None, a) if direction == "a_to_b" else Batch(a, both.y, None, b)
