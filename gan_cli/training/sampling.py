"""Samples of a trained generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.training.game import Game

_READ = {
    "image": ("a picture", "gan sample RUN source=PICTURES applies it to pictures"),
    "vector": ("the features of a picture", "gan tag RUN PICTURES finds words for pictures"),
}


def sample(
    game: Game,
    network: nn.Module,
    n: int,
    draws: Draws,
    batch_size: int = 256,
    y: Tensor | None = None,
    source: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yield n samples in batches, float32 (<= batch_size, ...).

    Args:
        game: whose prior and condition are used.
        network: the generator or its moving average.
        n: samples in all.
        draws: stream `z` is used; the same draws give the same samples in any batch size.
        batch_size: samples at a time.
        y: labels of n samples; None: a conditional game's classes, or examples of its labels, in turn.
        source: (n, ...), what the generator reads besides where its task has sources.
    """
    z = game.latent.sample(n, draws)
    y = game.condition.in_turn(n, z.device) if y is None else y
    yield from generate(game, network, z, y, batch_size, source)


@torch.no_grad()
def generate(
    game: Game,
    network: nn.Module,
    z: Tensor,
    y: Tensor | None = None,
    batch_size: int = 256,
    source: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yield the samples that z (n, size), labels y and sources stand for in batches, float32 (<= batch_size, ...).

    The generator runs with its running statistics (eval mode), so a sample depends on its z alone; its mode is
    restored.

    Raises:
        UserError: the generator reads sources, and there are none.
    """
    if source is None:
        require_noise(game)
    was_training = network.training
    try:
        for start in range(0, len(z), batch_size):
            rows = slice(start, start + batch_size)
            network.eval()
            own_y, own_source = (None if t is None else t[rows] for t in (y, source))
            x = game.generate(z[rows], own_y, network, own_source)
            network.train(was_training)
            yield x
    finally:
        network.train(was_training)


def require_noise(game: Game) -> None:
    """Refuse a game whose generator makes nothing of z alone.

    Raises:
        UserError: the generator reads sources.
    """
    if game.task.reads is not None:
        what, command = _READ[game.task.reads]
        raise UserError(
            f"this run's generator reads {what} and makes nothing of z alone: {command}, gan evaluate RUN measures it"
        )
