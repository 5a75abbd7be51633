"""Sheets of images with labels beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_cli.analysis.figures import image_grid

GAP = 2  # white pixels between images
_SPACE = 4  # white pixels around words


def sheet(images: Tensor, columns: int, rows: Sequence[str] = (), tops: Sequence[str] = ()) -> np.ndarray:
    """Lay images out row by row on white, with text before the rows and above the columns.

    Args:
        images: (N, C, H, W) in [-1, 1].
        columns: number of images in a row.
        rows: a short text for each row, or nothing.
        tops: the same for the columns, cut if a column is too narrow; or one text for all columns.

    Returns:
        (height, width, 3) uint8.
    """
    grid = image_grid(images, columns, GAP)
    font = ImageFont.load_default()
    line = _height(font)
    left = max((round(font.getlength(word)) for word in rows), default=-2 * _SPACE) + 2 * _SPACE
    top = line + _SPACE if tops else 0
    canvas = Image.new("RGB", (left + grid.shape[1], top + grid.shape[0]), "white")
    canvas.paste(Image.fromarray(grid), (left, top))
    draw = ImageDraw.Draw(canvas)
    step_y, step_x = images.shape[2] + GAP, images.shape[3] + GAP
    for i, word in enumerate(rows):
        draw.text((_SPACE, top + GAP + i * step_y + (images.shape[2] - line) // 2), word, "black", font)
    for i, word in enumerate(tops):
        room = canvas.width if len(tops) == 1 else step_x - _SPACE
        draw.text((left + GAP + i * step_x, _SPACE // 2), _cut(word, room, font), "black", font)
    return np.asarray(canvas)


def beside(*pictures: np.ndarray, space: int = 12) -> np.ndarray:
    """Return pictures (height, width, 3) next to each other on white, aligned at the bottom."""
    height = max(picture.shape[0] for picture in pictures)
    padded = [
        np.pad(
            picture,
            [(height - picture.shape[0], 0), (0, space if i + 1 < len(pictures) else 0), (0, 0)],
            constant_values=255,
        )
        for i, picture in enumerate(pictures)
    ]
    return np.concatenate(padded, axis=1)


def _height(font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> int:
    return round(font.getbbox("Ag")[3])


def _cut(word: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    while word and font.getlength(word) > width:
        word = word[:-1]
    return word
