"""How labels reach the networks."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor


class Unconditional:
    """The networks see no labels; the base of the conditional ways.

    Attributes:
        needs_labels: real samples must come with labels, and fakes are asked for by label.
    """

    needs_labels: ClassVar[bool] = False

    def generator_input(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return what the generator reads, (N, size)."""
        return z

    def critic_input(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Return what the critic reads, (N, ...)."""
        return x
