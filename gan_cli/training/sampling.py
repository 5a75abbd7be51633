"""Samples of a trained generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.rng import Draws
from gan_cli.training.game import Game


@torch.no_grad()
def sample(
    game: Game, network: nn.Module, n: int, draws: Draws, batch_size: int = 256, y: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield n samples in batches, float32 (<= batch_size, ...).

    The generator runs with its running statistics (eval mode), so a sample depends on its z alone; its mode is
    restored.

    Args:
        game: whose prior and condition are used.
        network: the generator or its moving average.
        n: samples in all.
        draws: stream `z` is used; the same draws give the same samples in any batch size.
        batch_size: samples at a time.
        y: labels (n,); None: a conditional game's classes in turn.
    """
    was_training = network.training
    z = game.latent.sample(n, draws)
    if y is None and game.condition.needs_labels:
        y = torch.arange(n, device=z.device) % game.condition.n_classes
    try:
        for start in range(0, n, batch_size):
            rows = slice(start, start + batch_size)
            network.eval()
            x = game.generate(z[rows], None if y is None else y[rows], network)
            network.train(was_training)
            yield x
    finally:
        network.train(was_training)
