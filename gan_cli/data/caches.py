"""What was prepared or computed in the user's directory and can be made again: its size, and its removal.

It imports neither torch nor NumPy.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gan_cli.core import untrusted
from gan_cli.data.places import user_directory

PREPARED, FEATURES = "prepared", "features"
# of a directory of prepared images
IMAGES, POSITIONS, PRINTS, ABOUT = "images.uint8", "positions.int64", "pictures.blake2b", "about.json"
_FILES = {IMAGES, POSITIONS, PRINTS, ABOUT}
_NAME = re.compile(r"(?P<unfinished>\.)?[0-9a-f]{40}(?(unfinished)\.tmp|)")
_ARRAY = re.compile(r"[0-9a-f]{40}\.npy")
_ABOUT_BYTES = 2**26


class Cache(NamedTuple):
    """Files that are made again where they are missing.

    Attributes:
        path: the directory, or the file.
        size: bytes.
        text: what is in it.
        place: where its pictures are; "" where that is not known.
    """

    path: Path
    size: int
    text: str
    place: str = ""


def caches() -> list[Cache]:
    """Return the caches of this user: prepared images, the largest first, then features.

    What has another name, or holds anything else, is none.
    """
    root = user_directory()
    found = [cache for path in _inside(root / PREPARED) if (cache := _prepared(path)) is not None]
    arrays = [path for path in _inside(root / FEATURES) if _ARRAY.fullmatch(path.name) and _is_file(path)]
    features = [Cache(path, path.stat().st_size, "features of pictures") for path in arrays]
    return [*sorted(found, key=lambda cache: -cache.size), *features]


def remove(cache: Cache) -> bool:
    """Remove a cache; False: a process is making it now.

    A process that reads it continues: the files stay until it has closed them.

    Raises:
        OSError: it cannot be removed.
    """
    if cache.path.is_file():
        cache.path.unlink()
        return True
    name = cache.path.name.removeprefix(".").removesuffix(".tmp")
    temporary = cache.path.with_name(f".{name}.tmp")
    with open(cache.path.with_name(f".{name}.lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if cache.path != temporary:
            shutil.rmtree(temporary, ignore_errors=True)
            cache.path.rename(temporary)  # whole or not at all, for whoever looks for it
        shutil.rmtree(temporary)
    return True


def _inside(directory: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(directory.iterdir())


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _prepared(path: Path) -> Cache | None:
    """Return what a directory of prepared images holds; None: it is none."""
    if not (match := _NAME.fullmatch(path.name)) or path.is_symlink() or not path.is_dir():
        return None
    files = list(path.iterdir())
    known = (file.name in _FILES or (file.name.startswith(".") and file.name.endswith(".tmp")) for file in files)
    if not all(known) or not all(map(_is_file, files)):
        return None
    size = sum(file.stat().st_size for file in files)
    if match["unfinished"]:
        return Cache(path, size, "unfinished: being made, or left by a killed process")
    try:
        about = untrusted.parse_json(untrusted.read(path / ABOUT, _ABOUT_BYTES))
        known = untrusted.parse_json(about["about"].encode())
        shape, place = known.get("shape"), str(known.get("place", ""))
        count = (path / POSITIONS).stat().st_size // 8
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Cache(path, size, "damaged")
    of = f" of {' x '.join(map(str, shape))}" if isinstance(shape, list) else ""
    return Cache(path, size, f"{count:,} pictures{of}" + (f" from {place}" if place else ""), place)
