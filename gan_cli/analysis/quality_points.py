"""Pairs of the critic's estimate and a score of the samples at each step of a run, from its rows or measured here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.analysis.correlation import FEWEST
from gan_cli.analysis.evaluation import compared_samples, extract
from gan_cli.analysis.reals import as_stored
from gan_cli.core.curves import better
from gan_cli.core.log_rows import LogRows
from gan_cli.extractors.base import Extractor
from gan_cli.metrics.kid import kernel_distance

GAP = 2  # white pixels around the images of a grid
_SCORES = (
    r"^quality/(fid|frechet_distance_\w+)$",
    r"^quality/kid",
    r"^distance/exact_w1$",
    r"^distance/sliced_w1$",
    r"^quality/high_quality_share$",
)
_W1_COUNT = 512


class Point(NamedTuple):
    """One step of a run: its estimate, its score, and the source of the score: row, checkpoint or picture."""

    step: int
    estimate: float
    score: float
    source: str


class Points(NamedTuple):
    """The result of `from_rows` or `from_samples`.

    Attributes:
        name: name of the score.
        how: how it was measured.
        points: the points, ordered by step.
        higher_is_better: whether a higher score is better.
    """

    name: str
    how: str
    points: list[Point]
    higher_is_better: bool = False

    @property
    def axis(self) -> str:
        """Title of the score's axis."""
        return f"{self.name} ({'higher' if self.higher_is_better else 'lower'} is better)"

    def from_peak(self) -> Points:
        """Return the points from the largest estimate on."""
        highest = max(range(len(self.points)), key=lambda i: self.points[i].estimate)
        return self._replace(points=self.points[highest:])


def from_rows(rows: LogRows, estimate: str) -> Points | None:
    """Return the rows that have a score; None if they are too few for a correlation."""
    at, estimates = rows.of(estimate)
    for pattern in _SCORES:
        for tag in (tag for tag in rows.tags if re.search(pattern, tag)):
            own, scores = rows.of(tag)
            both, i, j = np.intersect1d(at, own, assume_unique=True, return_indices=True)
            found = zip(rows.steps[both].tolist(), estimates[i].tolist(), scores[j].tolist(), strict=True)
            points = [Point(step, e, score, "row") for step, e, score in found if np.isfinite([e, score]).all()]
            if len(points) >= FEWEST:
                return Points(tag, "the run's own rows", points, better(tag) == "higher")
    return None


def from_samples(
    rows: LogRows,
    estimate: str,
    real: Tensor,
    extractor: Extractor | None,
    drawn: Iterator[tuple[int, Tensor]],
    pictures: Callable[[], Iterator[tuple[int, Tensor]]],
) -> Points:
    """Score what a run has kept: samples from its checkpoints, and the images of its pictures.

    The kernel distance is unbiased whatever the number of samples, so those of a picture and those drawn from a
    checkpoint can be compared; points are scored by the exact W1.

    Args:
        rows: rows of metrics.jsonl.
        estimate: a tag of these rows.
        real: real samples (N, ...) to compare with.
        extractor: a loaded extractor; None for points.
        drawn: step and samples of each checkpoint, all of the same number.
        pictures: returns step and images of each picture; called only for images.
    """
    found: dict[int, tuple[float, str]] = {}
    if extractor is None:
        name, how = "distance/exact_w1", "samples drawn now from the checkpoints"
        for step, x in drawn:
            n = min(len(real), len(x), _W1_COUNT)
            (exact,) = [s for s in compared_samples(real[:n], x[:n], n) if s.name == "exact_w1"]
            found[step] = (exact.value, "checkpoint")
    else:
        name = "quality/kid" if extractor.standard else f"quality/kid_{extractor.name}"
        how = f"samples of the checkpoints and pictures, compared now with {len(real)} real images of the train split"
        features = extract(extractor, real, 250).x
        for source, sets in (("picture", pictures()), ("checkpoint", drawn)):
            for step, x in sets:
                found[step] = (kernel_distance(features, extract(extractor, as_stored(x), 250).x), source)
    points, (steps, values) = [], rows.curve(estimate)
    for step, (score, source) in sorted(found.items()):
        at = int(np.searchsorted(steps, step))  # the first row from there on
        if step > 0 and at < len(steps) and np.isfinite([values[at], score]).all():
            points.append(Point(step, float(values[at]), score, source))
    return Points(name, how, points)


def grid_images(path: Path, shape: Sequence[int], count: int) -> Tensor | None:
    """Return the images (N, C, H, W) in [-1, 1] in the grid of a run's picture; None if it is not such a grid.

    Args:
        path: a PNG.
        shape: shape (C, H, W) of an image.
        count: number of images in the grid.
    """
    channels, height, width = shape
    if channels > 3:  # not all of them are in the picture
        return None
    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    rows, odd_rows = divmod(pixels.shape[0] - GAP, height + GAP)
    columns, odd_columns = divmod(pixels.shape[1] - GAP, width + GAP)
    if odd_rows or odd_columns or rows * columns < count:
        return None
    cells = pixels[GAP:, GAP:].reshape(rows, height + GAP, columns, width + GAP, 3)[:, :height, :, :width]
    images = torch.from_numpy(cells.transpose(0, 2, 4, 1, 3).reshape(-1, 3, height, width)[:count].copy())
    return (images[:, :channels].float() / 127.5 - 1).contiguous()
