"""Two networks as one, for batches whose even rows are of one domain and whose odd rows are of the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_cli.losses.base import CriticOutput


class TwoDomains(nn.Module):
    """Sends the even rows of a batch to one network and the odd rows to another.

    Args:
        a: reads the even rows, those of domain A.
        b: reads the odd rows, those of domain B.
    """

    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, *inputs: Tensor | None) -> Tensor | CriticOutput:
        """Return the outputs in the order of the rows, for inputs (2 N, ...) each, or of their patches."""
        outputs = [
            network(*(None if t is None else t[i::2] for t in inputs)) for i, network in enumerate((self.a, self.b))
        ]
        if isinstance(outputs[0], Tensor):
            return in_turn(outputs, len(outputs[0]))
        rows = len(outputs[0].x)
        heads = {name: in_turn([output.heads[name] for output in outputs], rows) for name in outputs[0].heads}
        score, features, x = (in_turn([getattr(o, key) for o in outputs], rows) for key in ("score", "features", "x"))
        return CriticOutput(score, features, heads, x)


def in_turn(parts: Sequence[Tensor], rows: int) -> Tensor:
    """Return a row of the first, a row of the second, and so on; each has as many numbers for each of its rows."""
    return torch.stack([part.unflatten(0, (rows, -1)) for part in parts], dim=1).flatten(0, 2)


def exchanged(batch: Tensor) -> Tensor:
    """Return a batch (2 N, ...) with the rows of each pair in each other's place."""
    return batch.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
