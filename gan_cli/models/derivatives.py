"""The base class of layers that are faster if the needed derivatives are known."""

from __future__ import annotations

from torch import nn


class Differentiated(nn.Module):
    """A layer with its own computation of derivatives.

    Attributes:
        times: 1: no gradient of it is differentiated. 2: its gradient by its input is differentiated once more, as
            gradient penalties do, but the gradient by its weights is not. None: unknown, so that it works as in torch.
    """

    times: int | None = None


def differentiated(network: nn.Module, times: int | None) -> None:
    """Allow a network's layers their faster derivatives; to differentiate more often than `times` is an error then.

    None: they work as in torch.
    """
    for module in network.modules():
        if isinstance(module, Differentiated):
            module.times = times
