"""The dataset of a directory of images and a file of their tags."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import PositiveInt

from gan_cli.core.shapes import ImageSize
from gan_cli.core.text import show
from gan_cli.core.untrusted import parse_json
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.fixed_set import Stored
from gan_cli.data.folder import Folder
from gan_cli.data.source import LabelKind, Tags
from gan_cli.data.split import Split, check_batch
from gan_cli.data.unused import RARE, Unused
from gan_cli.errors import UserError

MAX_BYTES = 2**28  # of the file of tags


class TaggedFolder(Folder):
    """A directory of pictures, each with tags that a JSON or CSV file names.

    The vocabulary has the words that enough training images have; an image without any of them is left out.

    Args:
        image_size: as `Folder`.
        path: as `Folder`.
        tags: a JSON file {picture: [tag, ...]}, or a CSV file of rows `picture,tag;tag`; required. A picture is named
            by its path below the directory.
        min_count: training images that a word of the vocabulary has at least.
        labels: what a condition reads: `folders`, classes by sub-folder as `Folder`; or `tags`, a vector of 0 and 1.
        **others: as `Folder`.
    """

    name = "tagged_folder"
    tagged = True

    def __init__(
        self,
        image_size: ImageSize,
        path: str | None = None,
        tags: str | None = None,
        min_count: PositiveInt = 3,
        labels: Literal["folders", "tags"] = "folders",
        **others: Any,
    ) -> None:
        super().__init__(image_size, path, **others)
        self.tags, self.min_count, self.labels = tags, min_count, labels
        self._words: list[tuple[str, ...]] = []
        self._vocabulary: tuple[str, ...] = ()
        self._rare: list[Unused] = []

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, H, W), after listing the directory and reading the tags.

        Raises:
            UserError: there are no pictures, no tags, or tags that do not belong to the pictures.
        """
        if not self._words:
            if self.tags is None:
                raise UserError("dataset=tagged_folder needs the tags of its pictures; use dataset.tags=FILE")
            names = [picture.name for picture in self._look()[0].pictures]
            self._words = _of_pictures(names, read_tags(self.tags), self.tags)
        return super().expected_shape()

    def expected_classes(self) -> int | None:
        """Return the number of sub-folders, or None: the vocabulary depends on the split."""
        return None if self.labels == "tags" else super().expected_classes()

    def expected_labels(self) -> LabelKind:
        """Return what the labels are."""
        return "binary" if self.labels == "tags" else "class"

    def collect(self) -> FileCollection:
        """List the pictures, and read their tags."""
        self.expected_shape()
        return super().collect()

    def stored(self, batch_size: int, device: torch.device) -> Stored:
        """Read, prepare and split the images.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        found = super().stored(batch_size, device)
        return found._replace(unused=(*found.unused, *self._rare))

    def _split(self, found: FileCollection, batch_size: int, unreadable: np.ndarray | None = None) -> Split:
        parts = super()._split(found, batch_size, unreadable)
        counts = Counter(word for at in parts.train for word in self._words[at])
        kept = [word for word, count in counts.items() if count >= self.min_count]
        if not kept:
            fix = f"dataset.min_count={max(counts.values())} or less" if self.min_count > 1 else "more pictures"
            raise UserError(
                f"dataset.min_count={self.min_count}: no tag has so many of the {len(parts.train)} training images; "
                f"use {fix}"
            )
        self._vocabulary = tuple(sorted(kept, key=lambda word: (-counts[word], word)))
        known = set(kept)
        of_interest = np.array([at for at in parts.positions if known.intersection(self._words[at])], dtype=np.int64)
        left_out = np.setdiff1d(parts.positions, of_interest)
        self._rare = [
            Unused(RARE, found.names[at], f"on fewer than {self.min_count} training images") for at in left_out
        ]
        parts = parts.only(of_interest)
        check_batch(self._named(), parts, batch_size)
        return replace(parts, labels=self._vectors(), class_names=None) if self.labels == "tags" else parts

    def _vectors(self) -> np.ndarray:
        """Return 1 where an image of the collection has a word of the vocabulary, else 0, (N, V) float32."""
        number = {word: i for i, word in enumerate(self._vocabulary)}
        found = np.zeros((len(self._words), len(number)), dtype=np.float32)
        for row, words in zip(found, self._words, strict=True):
            row[[number[word] for word in words if word in number]] = 1
        return found

    def _tags(self, parts: Split) -> Tags:
        number = {word: i for i, word in enumerate(self._vocabulary)}

        def of(positions: np.ndarray) -> list[list[int]]:
            return [[number[word] for word in self._words[at] if word in number] for at in positions]

        return Tags(self._vocabulary, of(parts.train), of(parts.heldout))


def read_tags(path: str) -> dict[str, tuple[str, ...]]:
    """Return the tags of each picture that a JSON or CSV file names, without repetitions, in their order.

    Raises:
        UserError: it cannot be read, or is neither {picture: [tag, ...]} nor rows of `picture,tag;tag`.
    """
    shown, file = f"dataset.tags={path}", Path(os.path.expanduser(path))
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UserError(f"{shown}: is larger than {MAX_BYTES:,} bytes")
        content = file.read_bytes()
        found = _from_csv(content) if file.suffix.casefold() == ".csv" else _from_json(content)
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{shown}: {error}") from error
    return {name: tuple(dict.fromkeys(filter(None, (" ".join(tag.split()) for tag in tags)))) for name, tags in found}


def _from_json(content: bytes) -> list[tuple[str, list[str]]]:
    found = parse_json(content)
    if not isinstance(found, Mapping):
        raise ValueError("must be a mapping {picture: [tag, ...]}, or a CSV file whose name ends in .csv")
    for name, tags in found.items():
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError(f"the tags of {show(name)} are {show(tags)}, and must be a list of text")
    return list(found.items())


def _from_csv(content: bytes) -> list[tuple[str, list[str]]]:
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from error
    found: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise ValueError(f"row {number} has {len(row)} columns, and must be picture,tag;tag")
        if row[0] in found:
            raise ValueError(f"row {number} names {show(row[0])} again")
        found[row[0]] = row[1].split(";")
    return list(found.items())


def _of_pictures(names: Sequence[str], tags: Mapping[str, tuple[str, ...]], path: str) -> list[tuple[str, ...]]:
    """Return the tags of each picture.

    Raises:
        UserError: tags of what is no picture, or a picture without tags.
    """
    if unknown := tags.keys() - set(names):
        raise UserError(
            f"dataset.tags={path}: {_first(unknown)} not in dataset.path; the name of a picture there is, for "
            f"example, {min(names)}"
        )
    if bare := [name for name in names if not tags.get(name)]:
        raise UserError(f"dataset.tags={path}: {_first(bare)} without tags; add tags, or remove the pictures")
    return [tags[name] for name in names]


def _first(names: Sequence[str] | set[str]) -> str:
    """Return the first name and how many more there are, with their verb."""
    more = len(names) - 1
    return f"{show(min(names))} and {more:,} more are" if more else f"{show(min(names))} is"
