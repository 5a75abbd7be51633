"""Pictures as arrays: grids of images, points over the critic's score, curves. The same input gives the same pixels.

matplotlib is imported where it is used (it takes a second) and without pyplot, which keeps global state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.core.files import replace_file
from gan_cli.data.loader import to_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEDIAN_WINDOW = 101  # of the WGAN paper's curves
SUFFIXES = {  # of the files that `encoded` makes: Pillow's format and its settings
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
    ".jfif": ("JPEG", {"quality": 95}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".pnm": ("PPM", {}),
}
_MAGENTA = torch.tensor([255, 0, 255], dtype=torch.uint8)

Score = Callable[[Tensor], Tensor]


def image_grid(images: Tensor, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Lay images out row by row on white.

    Args:
        images: (N, C, H, W) in [-1, 1], as `to_uint8` takes them.
        columns: number of columns; None: as near to a square as N allows.
        gap: white pixels between and around the images.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: images of another shape, or no image.
    """
    if not len(images):
        raise ValueError("a grid needs at least one image")
    pixels = to_uint8(images)
    count, height, width, _ = pixels.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    grid = np.full((gap + rows * (height + gap), gap + columns * (width + gap), 3), 255, np.uint8)
    for i, image in enumerate(pixels):
        top, left = (
            gap + place * (size + gap) for place, size in zip(divmod(i, columns), (height, width), strict=True)
        )
        grid[top : top + height, left : left + width] = image
    return grid


def side_by_side(panels: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Return the first image of each panel, then the second of each, and so on, all of one shape.

    Args:
        panels: (N, C', H', W') each; another size is enlarged pixel by pixel, and channels beyond C are left out (the
            mask of an image with a hole).
        shape: (C, H, W).

    Returns:
        (K N, 3, H, W), in the colours of `as_colours`.
    """
    channels, *size = shape
    same = [interpolate(as_colours(panel[:, :channels]), size=tuple(size)) for panel in panels]
    return torch.stack(same, dim=1).flatten(0, 1)


def as_colours(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) as red, green and blue (N, 3, H, W).

    One channel is grey; two are red and green, without blue; of four and more the first three are shown.
    """
    channels = images.shape[1]
    if channels == 1:
        return images.expand(-1, 3, -1, -1)
    return torch.cat([images, torch.full_like(images[:, :1], -1)], dim=1) if channels == 2 else images[:, :3]


def to_uint8(images: Tensor) -> np.ndarray:
    """Return images as pixels.

    Args:
        images: (N, C, H, W) in [-1, 1]; values beyond are clamped, pixels that are NaN become magenta.

    Returns:
        (N, H, W, 3) uint8, in the colours of `as_colours`.

    Raises:
        ValueError: images of another shape.
    """
    if images.dim() != 4 or not images.shape[1]:
        raise ValueError(f"images of shape {tuple(images.shape)} must have the shape (N, C, H, W)")
    x = as_colours(images.detach().to("cpu", torch.float32)).permute(0, 2, 3, 1)
    pixels = to_bytes(x.nan_to_num(nan=0.0))
    pixels[images.isnan().any(dim=1).cpu()] = _MAGENTA
    return pixels.numpy()


def save_png(path: Path, array: np.ndarray) -> bytes:
    """Write (H, W, 3), or grey (H, W), uint8 as a PNG, the same bytes for the same pixels.

    The file is replaced whole or not at all.

    Returns:
        what the file holds.

    Raises:
        OSError: the file cannot be written (a full disk, for example).
    """
    content = png(array)
    replace_file(path, [content])
    return content


def png(array: np.ndarray) -> bytes:
    """Return (H, W, 3), or grey (H, W), uint8 as a PNG, the same bytes for the same pixels."""
    return encoded(array, ".png")


def encoded(array: np.ndarray, suffix: str) -> bytes:
    """Return (H, W, 3), or grey (H, W), uint8 as the content of a file, by its suffix in SUFFIXES, of any case."""
    kind, settings = SUFFIXES[suffix.lower()]
    content = io.BytesIO()
    Image.fromarray(array).save(content, format=kind, **settings)
    return content.getvalue()


def points_figure(
    real: Tensor | None, fake: Tensor, score: Score | None, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Draw real and fake points over the critic's score: a map of the score in two dimensions, a curve in one.

    Args:
        real: (N, D), D 1 or 2. None: fakes alone.
        fake: (M, D).
        score: (K, D) on the device of `fake` -> (K,); called once, without gradients. None: points alone.
        limits: of every axis of the data. None: what the real points (or else the fakes) span and a quarter more on
            each side, so that pictures of one run share their frame; fakes outside are counted in the legend.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: points of more than two dimensions, or of different dimensions.
    """
    dimensions = fake.shape[1] if fake.dim() == 2 else 0
    if dimensions not in (1, 2) or (real is not None and (real.dim() != 2 or real.shape[1] != dimensions)):
        shapes = [None if points is None else tuple(points.shape) for points in (real, fake)]
        raise ValueError(f"real {shapes[0]}, fake {shapes[1]}; both must be (N, 1) or both (N, 2)")
    from gan_cli.analysis import plots

    ranges = [limits or _span(axis) for axis in _numpy(fake if real is None else real).T]
    cells = 120 if dimensions == 2 else 400
    ticks = [np.linspace(low, high, cells) for low, high in ranges]
    at = np.stack([axis.ravel() for axis in np.meshgrid(*ticks)], axis=1)
    scores = None if score is None else _scores(score, at, fake).reshape([cells] * dimensions)
    draw = plots.maps if dimensions == 2 else plots.histograms
    return draw(None if real is None else _numpy(real), _numpy(fake), ticks, scores)


def curve_figure(rows: Sequence[Mapping[str, float]], tags: Sequence[str]) -> Figure:
    """Draw curves of metrics.jsonl over the step: thin lines as logged, thick ones through a median filter of 101 rows.

    The filter is that of the WGAN paper's figures; curves of fewer rows are drawn as logged, and so are the first and
    last 50 rows, where it has no full window. A NaN is a gap.

    Args:
        rows: of `metrics_log.read_rows`.
        tags: one curve each.

    Raises:
        ValueError: a tag that no row has.
    """
    from gan_cli.analysis import plots

    curves = {}
    for tag in tags:
        points = [(row["step"], row[tag]) for row in rows if tag in row]
        if not points:
            raise ValueError(f"no row has {tag}")
        curves[tag] = np.array(points, dtype=np.float64).T
    return plots.curves({tag: (steps, values, *_median(steps, values)) for tag, (steps, values) in curves.items()})


def _median(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(values) < MEDIAN_WINDOW:
        return steps[:0], values[:0]
    half = MEDIAN_WINDOW // 2
    return steps[half:-half], np.median(np.lib.stride_tricks.sliding_window_view(values, MEDIAN_WINDOW), axis=1)


def _span(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    margin = (high - low) / 4 or 1.0
    return low - margin, high + margin


@torch.no_grad()
def _scores(score: Score, at: np.ndarray, like: Tensor) -> np.ndarray:
    return _numpy(score(torch.from_numpy(at).to(like)))


def _numpy(points: Tensor) -> np.ndarray:
    return points.detach().cpu().double().numpy()
