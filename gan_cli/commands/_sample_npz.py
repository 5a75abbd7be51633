"""Writes an .npz file of arrays that are never whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from gan_cli.core.files import replacing


def write_npz(path: Path, samples: Iterable[np.ndarray], count: int, labels: np.ndarray | None) -> None:
    """Write a compressed .npz file with the arrays `samples` and, where there are some, `labels`.

    Args:
        path: the file.
        samples: parts (n, ...) of the samples.
        count: samples in all.
        labels: (count,).
    """
    arrays = {"samples": samples, **({} if labels is None else {"labels": [labels]})}
    with replacing(path) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, parts in arrays.items():
            rest = iter(parts)
            first = next(rest)
            about = {"descr": npy.dtype_to_descr(first.dtype), "fortran_order": False}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array_header_1_0(file, about | {"shape": (count, *first.shape[1:])})
                for part in chain([first], rest):
                    file.write(np.ascontiguousarray(part).data.cast("B"))
