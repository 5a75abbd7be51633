"""Labels as numbers that networks read."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(y: Tensor, n_classes: int) -> Tensor:
    """Return float32 (N, n_classes) for labels y (N,); torch's own function makes the host wait for the labels.

    Vectors (N, n_classes) are returned unchanged: labels that are vectors, or weights of the classes between classes.
    """
    if y.is_floating_point():
        return y
    return (y[:, None] == torch.arange(n_classes, device=y.device)).float()


def rows_of(table: Tensor, y: Tensor) -> Tensor:
    """Return the rows (N, D) of a table (n_classes, D) for labels y (N,), or their mean by weights of the classes.

    This is a product in double precision, for which no device uses a fast format: the rows are exact, and if several
    samples share a row its gradient is their sum in one order. The gradient of an index adds them up by several threads
    as they come, so that two runs of one seed differ in the last bit.
    """
    return (one_hot(y, len(table)).double() @ table.double()).to(table.dtype)
