"""Samples that a notebook shows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from gan_cli.analysis import figures

_LEAST_SIDE = 32  # pixels of an image that a notebook shows


class Samples(Tensor):
    """Samples, which a notebook shows as a grid of images or a plot of points; what is computed of them is plain.

    Attributes:
        columns: of the grid; None: as near to a square as may be.
        labels: classes (N,) int64 or vectors (N, F) that the samples were drawn for; None: the generator reads none.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl
    columns: int | None = None
    labels: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor, columns: int | None, labels: Tensor | None = None) -> Samples:
        """Return samples (N, ...) as such a tensor."""
        samples = x.as_subclass(cls)
        samples.columns, samples.labels = columns, labels
        return samples

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        """Return them for NumPy, from a GPU too."""
        array = self.detach().cpu().numpy()
        return array.astype(dtype or array.dtype, copy=bool(copy))

    def _repr_png_(self) -> bytes | None:
        if self.dim() == 4 and len(self):
            times = max(1, _LEAST_SIDE // max(self.shape[2:]))  # each pixel becomes so many
            shown = self.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
            return figures.png(figures.image_grid(shown, self.columns))
        if self.dim() == 2 and self.shape[1] in (1, 2):
            return figures.png(figures.points_figure(None, self, None))
        return None
