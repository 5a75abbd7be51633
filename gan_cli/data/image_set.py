"""The base class of all image datasets that are read from files."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
import torch

from gan_cli.core.shapes import ImageSize, sides_of
from gan_cli.data import prepared
from gan_cli.data.collection import Collection
from gan_cli.data.fitting import Fit
from gan_cli.data.fixed_set import FixedSet, Holdout, Limit, Stored, bytes_of
from gan_cli.data.memory import is_resident
from gan_cli.data.prepared import Prepared
from gan_cli.data.split import Split, check_batch, split
from gan_cli.data.unused import UNREADABLE, Unused


class ImageSet(FixedSet):
    """A dataset of images; a subclass finds the files.

    Args:
        image_size: S, or (H, W); images are (C, S, S), or (C, H, W).
        path: a directory with the files; None: searched in the usual places, then downloaded.
        holdout: as `FixedSet`.
        limit: as `FixedSet`.
        classes: as `FixedSet`.
        resident: as `FixedSet`.
        flip: reflect each image in half of the cases, left for right, when a run trains on it.
        fit: what is done with images of another shape than `image_size`: crop, pad or stretch.
    """

    channels: ClassVar[int]
    n_classes: ClassVar[int | None] = 10  # 0: there are no labels; None: only the files show

    def __init__(
        self,
        image_size: ImageSize,
        path: str | None = None,
        holdout: Holdout = "auto",
        limit: Limit = None,
        classes: list[int | str] | None = None,
        resident: Literal["auto"] | bool = "auto",
        flip: bool = False,
        fit: Fit = "crop",
    ) -> None:
        super().__init__(holdout, limit, classes, resident)
        self.image_size, self.fit = image_size, fit
        self.sides = sides_of(image_size)
        self.path = path
        self.flip = flip

    def expected_shape(self) -> tuple[int, ...]:
        """Return (C, H, W)."""
        return (self.channels, *self.sides)

    def expected_classes(self) -> int | None:
        """Return the number of classes, 0 without labels, None if only the files show it."""
        return len(self.classes) if self.classes and self.n_classes != 0 else self.n_classes

    @abstractmethod
    def collect(self) -> Collection:
        """Find the files.

        Raises:
            UserError: they are missing or damaged; the text names what is needed.
        """

    def stored(self, batch_size: int, device: torch.device) -> Stored:
        """Read, prepare and split the images.

        Raises:
            UserError: the data are missing, corrupt, or fewer than a batch.
        """
        found = self.collect()
        bad: dict[str, str] = {}
        unreadable = np.array([], dtype=np.int64)
        parts, ready = self._split(found, batch_size), None
        while ready is None or not np.isin(parts.positions, ready.positions).all():
            ready = self._prepare(found, parts, device)
            if ready.bad:  # others take their places, and may have to be read yet
                bad |= dict(ready.bad)
                unreadable = np.union1d(unreadable, np.setdiff1d(parts.positions, ready.positions))
                parts = self._split(found, batch_size, unreadable)
        unused = (*found.unused, *(Unused(UNREADABLE, name, reason) for name, reason in bad.items()))
        return Stored(found.shape, ready, parts, tuple(found.notes()), unused)

    def _named(self) -> str:
        return f"dataset={self.name}" + (f" ({self.path})" if self.path else "")

    def _split(self, found: Collection, batch_size: int, unreadable: np.ndarray | None = None) -> Split:
        parts = split(
            len(found),
            found.labels,
            found.class_names,
            classes=self.classes,
            holdout=self.holdout,
            limit=self.limit,
            unreadable=unreadable,
        )
        check_batch(self._named(), parts, batch_size)
        return parts

    def _prepare(self, found: Collection, parts: Split, device: torch.device) -> Prepared:
        positions = parts.positions
        size = bytes_of(found.shape, len(positions))
        host = torch.device("cpu")
        fits = is_resident(self.resident, size, device) and is_resident("auto", size, host)
        in_memory = fits and not found.costly
        return prepared.in_memory(found, positions) if in_memory else prepared.on_disk(found, positions)
