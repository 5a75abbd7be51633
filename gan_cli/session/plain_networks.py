"""A run's networks as plain modules."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.training.game import Game

_NOUNS = {"image": "an image", "vector": "a vector"}


class PlainGenerator(nn.Module):
    """A copy of a generator, in eval mode.

    Args:
        game: how labels and sources reach the network.
        network: what is copied: the game's generator, or its moving average.
    """

    def __init__(self, game: Game, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self._game = (game,)  # not a part of this module
        self.eval()

    def forward(self, z: Tensor, y: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        """Return samples (N, ...), images in [-1, 1].

        Args:
            z: (N, size).
            y: labels (N,), or vectors (N, F), in a run with a condition.
            source: (N, ...), what the generator reads besides, in a run of such a task; of task=cycle the first half is
                of one domain, the second of the other.

        Raises:
            UserError: labels or sources are missing.
        """
        (game,) = self._game
        y, source = _given(game, y, source)
        return game.task.written(
            self.network(*game.task.generator_input(source, *game.condition.generator_input(z, y))), source
        )


class PlainCritic(nn.Module):
    """A copy of a critic, in eval mode; what `input` does to samples while training is left out.

    Args:
        game: has the critic.
    """

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.network = copy.deepcopy(game.critic)
        self._game = (game,)  # not a part of this module
        self.eval()

    def forward(self, x: Tensor, y: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        """Return scores (N,) of samples x (N, ...), or of their patches in turn; y and source as for `PlainGenerator`.

        Raises:
            UserError: labels or sources are missing.
        """
        (game,) = self._game
        y, source = _given(game, y, source)
        return self.network(x, y, None, game.condition.critic_input(game.task.critic_input(x, source), y)).score


def _given(game: Game, y: Tensor | None, source: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return the labels and sources that a game's networks read, None where they read none."""
    condition, task = game.condition, game.task
    if condition.needs_labels and y is None:
        vectors = f"label vectors: give y (N, {condition.n_classes})"
        classes = f"classes: give labels y (N,), from 0 to {condition.n_classes - 1}"
        raise UserError(f"this network reads {vectors if condition.reads_vectors else classes}")
    if task.reads is not None and source is None:
        raise UserError(f"the networks of this run read more than z: give source (N, ...), each {_NOUNS[task.reads]}")
    return (y if condition.needs_labels else None), (None if task.reads is None else source)
