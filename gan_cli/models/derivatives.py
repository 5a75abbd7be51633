"""Layers that are faster where it is known which derivatives are needed."""

from __future__ import annotations

from torch import nn


class Differentiated(nn.Module):
    """A layer with ways of its own to its derivatives.

    Attributes:
        times: 1: nobody differentiates a gradient of it. 2: its gradient by its input is differentiated once more, as
            gradient penalties do, that by its weights is not. None: nothing is known, and it is as torch has it.
    """

    times: int | None = None


def differentiated(network: nn.Module, times: int) -> None:
    """Let a network's layers take their faster ways; to differentiate more than `times` says is an error then."""
    for module in network.modules():
        if isinstance(module, Differentiated):
            module.times = times
