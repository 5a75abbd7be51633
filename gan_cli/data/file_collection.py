"""Image files, decoded by several threads."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, TypeVar

import numpy as np
from tqdm import tqdm

from gan_cli.core.text import say, visible
from gan_cli.data.collection import Chunk, Pictures, images_a_chunk
from gan_cli.data.fitting import Fit, note
from gan_cli.data.pictures import BadPicture, Header, header_of, read_picture
from gan_cli.data.unused import Unused
from gan_cli.errors import UserError

T = TypeVar("T")
MAX_THREADS = 16
_EXAMINED = 32
_CHUNKS_AHEAD = 2
_REPORT_SECONDS = 30.0


class FileCollection:
    """Image files that are decoded when they are prepared; the result is kept on the disk.

    Args:
        names: names of the pictures, for errors.
        read: opens the picture at a position; called from several threads.
        shape: shape (C, H, W) of a prepared image.
        labels: (N,) int64 or None.
        class_names: of the labels, or None.
        key: identifies the content and the preparation.
        pictures: the files by themselves; None: they change all together.
        fit: how a picture gets its height and width.
        background: RGB behind what is transparent, and beside what is padded.
        only_grey: refuse pictures with colours.
        skip_bad: leave out pictures that cannot be read.
        unused: what lies beside them and is not used.
        fix: end of the error message for a bad picture.
        note: about the files, '' for nothing.
    """

    costly = True

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[int], BinaryIO],
        shape: tuple[int, int, int],
        *,
        key: str,
        pictures: Pictures | None = None,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] | None = None,
        fit: Fit = "crop",
        background: tuple[int, int, int] = (255, 255, 255),
        only_grey: bool = False,
        skip_bad: bool = False,
        unused: Sequence[Unused] = (),
        fix: str = "download it again",
        note: str = "",
    ) -> None:
        self.names, self.shape, self.labels, self.class_names = names, shape, labels, class_names
        self.fit = fit
        self._skip_bad = skip_bad
        self.unused = unused
        self.opened, self._key, self._background, self._only_grey = read, key, background, only_grey
        self._fix, self._note = fix, note
        made = repr((type(self).__name__, shape, fit, background, only_grey))
        self.pictures = pictures and pictures._replace(identity=lambda i: f"{pictures.identity(i)}\n{made}")

    def __len__(self) -> int:
        return len(self.names)

    def key(self) -> str:
        """Return a key of the pictures and their preparation."""
        return self._key

    def notes(self) -> list[str]:
        """Return the note about the files, and what the fit and 8 bits leave out, by the headers of some pictures."""
        headers = [self.seen(header) for header in some(header_of, len(self), self.opened)]
        found = [self._note or None]
        found += [note([header.sides for header in headers], self.shape[1:], self.fit)] if headers else []
        if any(header.is_deep for header in headers):
            found.append(
                "dataset: 16-bit pictures are converted to 8 bits (v / 257, rounded); dataset=array keeps 16 bits"
            )
        return [text for text in found if text is not None]

    def seen(self, header: Header) -> Header:
        """Return the header of one image, for that of the picture that holds it."""
        return header

    def chunks(self, positions: np.ndarray) -> Iterator[Chunk]:
        """Decode pictures in order, a few chunks ahead of their use.

        Raises:
            UserError: a picture cannot be read and is not skipped, or it has colours and must be grey.
        """
        count = images_a_chunk(self.shape)
        parts = (positions[start : start + count] for start in range(0, len(positions), count))
        pending: deque[tuple[np.ndarray, list[Future[np.ndarray]]]] = deque()
        pool = ThreadPoolExecutor(_threads(), thread_name_prefix="decode")
        with warnings.catch_warnings(), _Progress(len(positions)) as progress:
            warnings.filterwarnings("ignore", module=r"PIL\.")  # bombs and damage become errors that name the file
            try:
                for part in parts:
                    pending.append((part, [pool.submit(self._decode, int(position)) for position in part]))
                    if len(pending) > _CHUNKS_AHEAD:
                        yield self._gathered(*pending.popleft(), progress)
                while pending:
                    yield self._gathered(*pending.popleft(), progress)
            finally:
                pool.shutdown(cancel_futures=True)

    def prepare(self, position: int) -> np.ndarray:
        """Return the prepared image at a position; called from several threads.

        Raises:
            BadPicture: it cannot be used.
            UserError: it has colours and must be grey.
            OSError: its file cannot be read.
        """
        with self.opened(position) as file:
            return read_picture(file, self.shape, self._background, self._only_grey, self.fit)

    def _decode(self, position: int) -> np.ndarray:
        try:
            return self.prepare(position)
        except OSError as error:
            raise BadPicture(f"cannot be read ({error.strerror or error})") from error

    def _gathered(self, positions: np.ndarray, results: list[Future[np.ndarray]], progress: _Progress) -> Chunk:
        images, kept, bad = np.empty((len(positions), *self.shape), dtype=np.uint8), [], []
        for position, result in zip(positions.tolist(), results, strict=True):
            name = visible(self.names[position])
            try:
                images[len(kept)] = result.result()
                kept.append(position)
            except BadPicture as error:
                if not self._skip_bad:
                    raise UserError(f"{name}: {error}; {self._fix}") from error
                bad.append((name, str(error)))
            except UserError as error:
                raise UserError(f"{name} {error}") from error
            progress.advance()
        return Chunk(images[: len(kept)], np.array(kept, dtype=np.int64), bad)


def some(look: Callable[[BinaryIO], T | None], n: int, read: Callable[[int], BinaryIO]) -> list[T]:
    """Return what is seen in up to 32 of n pictures, spread over all, without those that cannot be read.

    Args:
        look: returns what is seen in a picture, None where it cannot be read.
        n: how many there are.
        read: opens the picture at a position.
    """
    found = []
    for position in np.unique(np.linspace(0, n - 1, min(n, _EXAMINED)).astype(int)).tolist():
        with suppress(OSError, BadPicture), read(position) as file:  # they name it when it is read in full
            found.append(look(file))
    return [one for one in found if one is not None]


class _Progress:
    """The progress: a bar on a terminal, elsewhere a line from time to time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._reported = total, 0, time.monotonic()
        self._bar = tqdm(total=total, desc="preparing", unit=" pictures", file=sys.stderr, disable=None, leave=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self) -> None:
        """Count one picture."""
        self._done += 1
        self._bar.update()
        if self._bar.disable and time.monotonic() - self._reported > _REPORT_SECONDS:
            self._reported = time.monotonic()
            say(f"preparing: {self._done:,} of {self._total:,} pictures", sys.stderr)


def _threads() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_THREADS, count)
