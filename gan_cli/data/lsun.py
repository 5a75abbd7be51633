"""The LSUN dataset of bedrooms."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gan_cli.data.digest import digest
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.image_set import ImageSet
from gan_cli.data.pictures import BadPicture
from gan_cli.data.places import downloads, given, placing, require
from gan_cli.errors import UserError

_DATABASE = "bedroom_train_lmdb"
_EXPECTED = f"the directory {_DATABASE} (unpacked from {_DATABASE}.zip)"


class LSUNBedroom(ImageSet):
    """LSUN's 3,033,042 training bedrooms, in colour, the shorter side 256 (Yu et al. 2015).

    The database is read directly: torchvision's class leaves a pickle of the keys in the working directory and
    trusts any pickle that it finds there. There is no download.
    """

    name = "lsun_bedroom"
    channels = 3
    n_classes = 0

    def collect(self) -> FileCollection:
        """Open the database.

        Raises:
            UserError: lmdb is not installed, or there is no database.
        """
        require("lmdb", "lsun", self.name, "reads its database")
        database = self._database()
        environment = _open(database)
        with environment.begin() as transaction:
            keys = np.array(list(transaction.cursor().iternext(values=False)))
        if not len(keys):
            raise UserError(f"{database} has no pictures; unpack {_DATABASE}.zip again")

        def read(position: int) -> BinaryIO:
            with environment.begin() as transaction:
                data = transaction.get(bytes(keys[position]))
            if data is None:
                raise BadPicture("no longer in the database")
            return io.BytesIO(data)

        about = os.stat(database / "data.mdb")
        names = _Names(database, keys)
        shape = (3, *self.sides)
        return FileCollection(
            names, read, shape, key=digest(about.st_size, about.st_ctime_ns, keys), fit=self.fit, background=(0, 0, 0)
        )

    def _database(self) -> Path:
        root = downloads(self.name) if self.path is None else given(self.path, _EXPECTED)
        found = next((p for p in (root / _DATABASE, root) if (p / "data.mdb").is_file()), None)
        if found is not None:
            return found
        if self.path is not None:
            raise UserError(f"dataset.path={self.path} does not contain {_EXPECTED}")
        raise UserError(
            f"dataset=lsun_bedroom is not on this machine and has no download: {placing(self.name, _EXPECTED)}"
        )


class _Names:
    """The keys as text, made on demand, because three million strings would fill 300 MB."""

    def __init__(self, database: Path, keys: np.ndarray) -> None:
        self._database, self._keys = database, keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, position: int) -> str:
        return f"{self._database}: {bytes(self._keys[position]).decode('ascii', 'replace')}"


def _open(database: Path) -> Any:
    import lmdb  # an extra

    try:
        return lmdb.open(str(database), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise UserError(f"{database} is not a readable LMDB database: {error}") from error
