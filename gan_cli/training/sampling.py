"""Samples of a trained generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.rng import Draws
from gan_cli.training.game import Game


def sample(
    game: Game, network: nn.Module, n: int, draws: Draws, batch_size: int = 256, y: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield n samples in batches, float32 (<= batch_size, ...).

    Args:
        game: whose prior and condition are used.
        network: the generator or its moving average.
        n: samples in all.
        draws: stream `z` is used; the same draws give the same samples in any batch size.
        batch_size: samples at a time.
        y: labels (n,); None: a conditional game's classes in turn.
    """
    z = game.latent.sample(n, draws)
    if y is None and game.condition.needs_labels:
        y = torch.arange(n, device=z.device) % game.condition.n_classes
    yield from generate(game, network, z, y, batch_size)


@torch.no_grad()
def generate(
    game: Game, network: nn.Module, z: Tensor, y: Tensor | None = None, batch_size: int = 256
) -> Iterator[Tensor]:
    """Yield the samples that z (n, size) and labels y stand for in batches, float32 (<= batch_size, ...).

    The generator runs with its running statistics (eval mode), so a sample depends on its z alone; its mode is
    restored.
    """
    was_training = network.training
    try:
        for start in range(0, len(z), batch_size):
            rows = slice(start, start + batch_size)
            network.eval()
            x = game.generate(z[rows], None if y is None else y[rows], network)
            network.train(was_training)
            yield x
    finally:
        network.train(was_training)
