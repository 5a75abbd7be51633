"""A run's networks as plain modules."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from gan_cli.conditions.base import Unconditional
from gan_cli.errors import UserError
from gan_cli.training.game import Game


class PlainGenerator(nn.Module):
    """A copy of a generator, in eval mode.

    Args:
        network: what is copied.
        condition: how labels reach it.
    """

    def __init__(self, network: nn.Module, condition: Unconditional) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.condition = condition
        self.eval()

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return samples (N, ...), images in [-1, 1], for z (N, size), and labels y (N,) in a run with classes."""
        return self.network(*self.condition.generator_input(z, _labels(self.condition, y)))


class PlainCritic(nn.Module):
    """A copy of a critic, in eval mode; what `input` does to samples while training is left out.

    Args:
        game: has the critic.
    """

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.network = copy.deepcopy(game.critic)
        self.condition = game.condition
        self.eval()

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return scores (N,) of samples x (N, ...), and labels y (N,) in a run with classes."""
        y = _labels(self.condition, y)
        return self.network(x, y, None, self.condition.critic_input(x, y)).score


def _labels(condition: Unconditional, y: Tensor | None) -> Tensor | None:
    if condition.needs_labels and y is None:
        raise UserError(f"this network reads classes: give labels y (N,), from 0 to {condition.n_classes - 1}")
    return y if condition.needs_labels else None
