"""The role of an update rule: in which order the players move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

from gan_cli.updates.inner import Inner


class Phase(NamedTuple):
    """One update of one player, or of both at once.

    Attributes:
        player: who moves.
        last: it is the step's last critic update; the loss's own buffers move with it.
        inner: critic updates that are unrolled for the generator, None for none.
    """

    player: Literal["critic", "generator", "both"]
    last: bool = False
    inner: Inner | None = None


class Updates(ABC):
    """An update rule: a list of phases a step."""

    @abstractmethod
    def phases(self, step: int) -> list[Phase]:
        """Return the phases of a step, counted from 0; a pure function of the step."""
