"""Arrays that take long to compute, kept in the user's directory."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from gan_cli.core.files import replace_file
from gan_cli.data.places import user_directory


def kept(folder: str, key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return an array by its key; it is made, and kept where the disk lets it, if it is not there or damaged.

    Args:
        folder: of the user's directory.
        key: identifies the content and how it is computed.
        make: computes the array.
    """
    path = user_directory() / folder / f"{key}.npy"
    with suppress(OSError, ValueError, EOFError):
        return np.load(path, allow_pickle=False)
    array, content = make(), io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, [content.getvalue()])
    return array
