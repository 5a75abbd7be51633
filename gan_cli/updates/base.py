"""The role of an update rule: the order in which the players are updated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

from gan_cli.updates.inner import Inner


class Phase(NamedTuple):
    """One update of one player, or of both at once.

    Attributes:
        player: the player that is updated.
        last: whether it is the step's last critic update, after which the loss's own buffers are updated.
        inner: critic steps that are unrolled for the generator, None for no unrolling.
    """

    player: Literal["critic", "generator", "both"]
    last: bool = False
    inner: Inner | None = None


class Updates(ABC):
    """An update rule: a list of phases for each step."""

    @abstractmethod
    def phases(self, step: int) -> list[Phase]:
        """Return the phases of a step, counted from 0; a pure function of the step."""
