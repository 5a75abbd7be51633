"""A folder of small pictures in pairs."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_pairs(folder: Path, n: int = 40, side: int = 16) -> Path:
    """Write n grey pictures A | B; B is A upside down, its grey values inverted."""
    folder.mkdir()
    for i, a in enumerate(np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)):
        Image.fromarray(np.concatenate([a, 255 - a[::-1]], axis=1)).save(folder / f"{i:03}.png")
    return folder
