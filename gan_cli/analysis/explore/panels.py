"""Grids of images side by side, each under its title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_cli.analysis import figures

SIDE = 32  # pixels that an image is shown with at the least
GAP = 10  # between grids
LINE = 14  # height of a title


def panels(grids: Sequence[tuple[str, Tensor]]) -> np.ndarray:
    """Lay out grids side by side on white; images smaller than 32 pixels are shown larger by a whole factor.

    Args:
        grids: a title and images (rows, columns, C, H, W) in [-1, 1]; all have as many rows.

    Returns:
        (height, width, 3) uint8.
    """
    font, parts = ImageFont.load_default(), []
    for title, x in grids:
        factor = -(-SIDE // x.shape[-1])
        larger = x.flatten(0, 1).repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
        grid = figures.image_grid(larger, x.shape[1])
        width = max(grid.shape[1], int(font.getlength(title)) + 4)
        page = Image.new("RGB", (width, LINE + grid.shape[0]), "white")
        ImageDraw.Draw(page).text((2, 1), title, "black", font)
        page.paste(Image.fromarray(grid), (0, LINE))
        parts += [np.asarray(page), np.full((LINE + grid.shape[0], GAP, 3), 255, np.uint8)]
    return np.concatenate(parts[:-1], axis=1)
