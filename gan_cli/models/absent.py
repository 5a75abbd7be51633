"""A network that is not there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError


class Absent(nn.Module):
    """Stands for the critic, and for the last weights beside a moving average, of a generator that was exported alone.

    Attributes:
        n_features: as a critic has it, so that anything can be built on it.
    """

    n_features = 1

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1))  # says on which device the game is

    def forward(self, *inputs: Tensor) -> Tensor:
        """Refuse.

        Raises:
            UserError: always.
        """
        raise UserError("an exported generator has no critic; this needs the run itself")
