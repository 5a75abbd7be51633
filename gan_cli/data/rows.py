"""Arrays as samples, read and converted a few at a time: which axis has the channels, what is black and white."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from gan_cli.errors import UserError

MAX_CHANNELS = 16
_CHUNK_BYTES, _CHUNK = 32 * 2**20, 4096  # handled at a time
Layout = Literal["auto", "nchw", "nhwc"]
_USUAL = (1, 3)  # channels


class Rows:
    """Samples of an array, as images (N, C, H, W) or points (N, D).

    Images are uint8 or uint16, from black to white over the whole type; or floating-point in [-1, 1]. With a range they
    are of any type of numbers, and low is black and high is white.

    Args:
        shape: of the array: images (N, H, W), (N, C, H, W) or (N, H, W, C), or points (N, D).
        dtype: of the array.
        take: reads rows by their positions, or by a slice.
        shown: where the array is, for errors.
        layout: nchw, nhwc; auto: the channels are axis 1 where it is 1 or 3, else the last where that is 1 or 3, else
            the smaller of the two.
        value_range: low and high; None: that of the type.
        has_range: a config may give the range; for errors.

    Attributes:
        shape: (N, C, H, W) or (N, D).
        dtype: of the rows that are returned: uint8, uint16 or float32, these in [-1, 1] where they are images.
        itemsize: its bytes.

    Raises:
        UserError: an array of another shape or type.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: np.dtype,
        take: Callable[[Any], np.ndarray],
        shown: str,
        layout: Layout = "auto",
        value_range: tuple[float, float] | None = None,
        has_range: bool = True,
    ) -> None:
        self._take, self._range, self._has_range = take, value_range, has_range
        self._shown = f"{shown}: the samples are {dtype} {tuple(shape)}"
        self._last = len(shape) == 4 and _channels_last(shape, layout)
        self.shape = _as_samples(shape, self._last)
        images = len(self.shape) == 4
        too_many = images and self.shape[1] > MAX_CHANNELS
        if len(self.shape) not in (2, 4) or 0 in self.shape or too_many:
            raise UserError(
                f"{self._shown}; they must be images (N, C, H, W) or (N, H, W, C) with 1 to {MAX_CHANNELS} channels, "
                "or points (N, D)"
            )
        if value_range and not images:
            raise UserError(f"{self._shown}, which are points; dataset.range is for images: leave it out")
        native, any_range = dtype.newbyteorder("="), value_range is not None or not images
        whole = native in (np.uint8, np.uint16) and not any_range
        if dtype.kind not in ("iuf" if any_range else "f") and not whole:
            other = "" if any_range or not has_range else "; or 'dataset.range=[LOW,HIGH]'"
            raise UserError(
                f"{self._shown}; they must be "
                + ("numbers" if any_range else f"uint8, uint16, or floating-point in [-1, 1]{other}")
            )
        self.dtype = native if whole else np.dtype(np.float32)
        self.itemsize = self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        x = self._take(rows)
        if x.ndim == 3:
            x = x[:, None]
        if self._last:
            x = x.transpose(0, 3, 1, 2)
        if self._range:
            low, high = self._range
            x = (x.astype(np.float64) - low) * (2 / (high - low)) - 1
        return np.ascontiguousarray(x, dtype=self.dtype)

    def check(self) -> None:
        """Read every value and require that it means something.

        Raises:
            UserError: one that is not finite, or is outside the range.
        """
        if self.dtype != np.float32:
            return
        low, high = self._limits()
        if not np.isfinite(low + high):
            raise UserError(f"{self._shown}; some of their values are not finite")
        if len(self.shape) == 2:
            return
        if self._range:
            if not self._range[0] <= low <= high <= self._range[1]:
                black, white = self._range
                raise UserError(
                    f"{self._shown}, from {low:g} to {high:g}; dataset.range=[{black:g},{white:g}] does not hold them: "
                    f"'dataset.range=[{min(low, black):g},{max(high, white):g}]'"
                )
        elif not (-1 <= low < 0 and high <= 1):
            unit = low >= 0 and high <= 1
            fix = "2 * x - 1" if unit else "uint8, or x / 127.5 - 1 if they are in [0, 255]"
            if self._has_range:
                fix = f"'dataset.range=[0,{1 if unit else 255}]', or what is black and what is white"
            raise UserError(
                f"{self._shown}, from {low:g} to {high:g}; floating-point images must be in [-1, 1]: give {fix}"
            )

    def _limits(self) -> tuple[float, float]:
        """Return the smallest and the largest value, as the array has them."""
        parts = [(float(x.min()), float(x.max())) for x in map(self._take, chunks(self))]
        lows, highs = zip(*parts, strict=True)
        return float(np.min(lows)), float(np.max(highs))  # NaN where one is


def chunks(x: np.ndarray | Rows, n: int | None = None) -> Iterator[slice]:
    """Yield slices of n rows of an array, or of all, as many at a time as fit into little memory."""
    n, size = len(x) if n is None else n, x.dtype.itemsize * math.prod(x.shape[1:])
    count = max(1, min(_CHUNK, _CHUNK_BYTES // size))
    yield from (slice(start, min(n, start + count)) for start in range(0, n, count))


def _channels_last(shape: Sequence[int], layout: Layout) -> bool:
    if layout != "auto":
        return layout == "nhwc"
    first, last = shape[1], shape[3]
    if first in _USUAL or last in _USUAL:
        return first not in _USUAL
    return last < first


def _as_samples(shape: Sequence[int], last: bool) -> tuple[int, ...]:
    if len(shape) == 3:
        n, height, width = shape
        return n, 1, height, width
    if last:
        n, height, width, channels = shape
        return n, channels, height, width
    return tuple(shape)
