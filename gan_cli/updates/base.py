"""In which order the players move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple


class Phase(NamedTuple):
    """One update of one player.

    Attributes:
        player: who moves.
        last: it is the step's last critic update; the loss's own buffers move with it.
    """

    player: Literal["critic", "generator"]
    last: bool = False


class Updates(ABC):
    """An update rule: a list of phases a step."""

    @abstractmethod
    def phases(self, step: int) -> list[Phase]:
        """Return the phases of a step, counted from 0; a pure function of the step."""
