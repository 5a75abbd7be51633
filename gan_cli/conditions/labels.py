"""Labels as numbers that networks read."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(y: Tensor, n_classes: int) -> Tensor:
    """Return float32 (N, n_classes) for labels y (N,); torch's own looks at the labels, so that the host waits.

    Weights of the classes (N, n_classes), for what lies between them, stay as they are.
    """
    if y.is_floating_point():
        return y
    return (y[:, None] == torch.arange(n_classes, device=y.device)).float()


def rows_of(table: Tensor, y: Tensor) -> Tensor:
    """Return the rows (N, D) of a table (n_classes, D) that labels y (N,), or weights of the classes, stand for.

    By a product in double precision, which no fast format of a device touches: the rows are exact, and where several
    samples share a row its gradient is their sum in one order. The gradient of an index adds them up by several threads
    as they come, so that two runs of one seed differ in the last bit.
    """
    return (one_hot(y, len(table)).double() @ table.double()).to(table.dtype)
