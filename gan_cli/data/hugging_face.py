"""The dataset of a table with a column of pictures: Parquet files, and what Hugging Face's `datasets` reads."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gan_cli.core.shapes import ImageSize
from gan_cli.core.text import one_line
from gan_cli.data.folder import Folder
from gan_cli.data.listing import Listing, Picture
from gan_cli.data.pictures import BadPicture
from gan_cli.data.places import require
from gan_cli.errors import UserError

_LABELS = ("label", "labels", "y")


class HuggingFace(Folder):
    """The pictures of a table, prepared once as those of a directory are; no code of a dataset is ever run.

    Args:
        image_size: as `ImageSet`.
        path: a .parquet file, a directory of them, or one that `Dataset.save_to_disk` wrote; or None.
        hub: in its place, the name of a dataset on the Hugging Face Hub, which is downloaded, such as ylecun/mnist.
        subset: of a dataset with several, as `load_dataset` calls it `name`; None: the only one.
        split: whose rows are taken.
        column: of the pictures; None: the only one.
        labels: column of the classes; auto: label, labels or y, where it has classes or whole numbers; None: none.
        **others: as `Folder`.
    """

    name = "huggingface"

    def __init__(
        self,
        image_size: ImageSize,
        path: str | None = None,
        hub: str | None = None,
        subset: str | None = None,
        split: str = "train",
        column: str | None = None,
        labels: str | None = "auto",
        **others: Any,
    ) -> None:
        super().__init__(image_size, path, **others)
        if self.class_order != "text":
            raise ValueError(f"class_order={self.class_order}: a table has its own order of classes; leave it out")
        self.hub, self.subset, self.split = hub, subset, split
        self.column, self.labels = column, labels

    def listing(self) -> Listing:
        """Return the pictures of the table.

        Raises:
            UserError: `datasets` is not installed, or there is no such table or column.
        """
        require("datasets", "huggingface", self.name, "reads its table")
        table = self._table()
        column = self._column(table)
        rows = table.select_columns([column])
        if _kind(table.features[column]) == "image":
            rows = rows.cast_column(column, type(table.features[column])(decode=False))

        def opened(picture: Picture) -> BinaryIO:
            value = rows[int(picture.name.rpartition("/")[2])][column]
            content = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(content, bytes):
                raise BadPicture("the table does not hold its bytes (dataset=folder reads files)")
            return io.BytesIO(content)

        files = [Path(file["filename"]).stat() for file in table.cache_files]
        version = (sum(file.st_size for file in files), max((file.st_ctime_ns for file in files), default=0))
        pictures = [Picture(f"{self.split}/{column}/{row}", *version) for row in range(len(table))]
        return Listing(Path(str(self.hub or self.path)), opened, pictures, *self._classes(table))

    def _named(self) -> str:
        return f"dataset=huggingface ({self.hub or self.path})"

    def _table(self) -> Any:
        import datasets  # an extra

        if (self.path is None) == (self.hub is None):
            raise UserError(
                "dataset=huggingface needs one of dataset.path=FILE.parquet (or a directory) and dataset.hub=NAME"
            )
        try:
            if self.hub is not None:
                return datasets.load_dataset(self.hub, self.subset, split=self.split)
            place = Path(os.path.abspath(os.path.expanduser(str(self.path))))
            if place.is_file():
                return datasets.load_dataset("parquet", data_files=str(place), split=self.split)
            if not place.is_dir():
                raise FileNotFoundError("no such file or directory")
            if not ((place / "state.json").is_file() or (place / "dataset_dict.json").is_file()):
                return datasets.load_dataset(str(place), self.subset, split=self.split)
            found = datasets.load_from_disk(str(place))
            return found[self.split] if isinstance(found, datasets.DatasetDict) else found
        except Exception as error:  # whatever a network, a table or that library can do
            key = f"dataset.hub={self.hub}" if self.hub else f"dataset.path={self.path}"
            other = "; dataset.path=FILE.parquet needs no network" if self.hub else ""
            raise UserError(f"{key} (split {self.split}) cannot be read: {one_line(error)}{other}") from error

    def _column(self, table: Any) -> str:
        kinds = {name: _kind(feature) for name, feature in table.features.items()}
        if self.column is not None:
            if self.column not in kinds:
                raise UserError(f"dataset.column={self.column}: the table has the columns {', '.join(kinds)}")
            return self.column
        pictures = [name for name, kind in kinds.items() if kind == "image"]
        pictures = pictures or [name for name, kind in kinds.items() if kind == "bytes"]
        if len(pictures) == 1:
            return pictures[0]
        what = "several columns of pictures" if pictures else "no column of pictures"
        raise UserError(f"{self._named()} has {what}: dataset.column=NAME, one of {', '.join(pictures or kinds)}")

    def _classes(self, table: Any) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
        name, features = self.labels, table.features
        if name == "auto":
            name = next((n for n in _LABELS if n in features and _kind(features[n]) in ("classes", "number")), None)
        if name is None:
            return None, None
        if name not in features or _kind(features[name]) not in ("classes", "number"):
            raise UserError(f"dataset.labels={name}: the table has no such column of classes: {', '.join(features)}")
        labels = np.array(table[name][:], dtype=np.int64)
        known = getattr(features[name], "names", None)
        if not len(labels) or labels.min() < 0:
            raise UserError(f"dataset.labels={name}: some rows have no class (-1); use dataset.labels=null")
        return labels, tuple(known or map(str, range(labels.max() + 1)))


def _kind(feature: Any) -> str:
    """Return what a column holds: image, bytes, classes, number, or other."""
    name, dtype = type(feature).__name__, str(getattr(feature, "dtype", ""))
    if name in ("Image", "ClassLabel"):
        return {"Image": "image", "ClassLabel": "classes"}[name]
    if isinstance(feature, dict):
        return "bytes" if "binary" in str(getattr(feature.get("bytes"), "dtype", "")) else "other"
    return "bytes" if "binary" in dtype else "number" if "int" in dtype else "other"
