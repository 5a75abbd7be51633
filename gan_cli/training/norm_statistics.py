"""The statistics of a generator's batch norms, computed again from its own inputs."""

from __future__ import annotations

import copy

import torch
from torch import nn

from gan_cli.errors import UserError
from gan_cli.latents.base import Latent
from gan_cli.models.layers import norms_of
from gan_cli.rng import Draws
from gan_cli.training.game import Game

BATCHES, BATCH_SIZE = 16, 250  # of inputs
IN_WORDS = f"of {BATCHES * BATCH_SIZE:,} inputs in {BATCHES} batches of {BATCH_SIZE}, in place of the run's"


@torch.no_grad()
def with_whole_statistics(game: Game, network: nn.Module, latent: Latent) -> nn.Module:
    """Return a copy of a generator with the mean statistics of 16 batches of its inputs, which are always the same.

    These are the standing statistics of Brock et al. 2019: running statistics belong to the weights of the last steps
    of training, and neither to an average of weights nor to a truncated prior. Classes are in turn.

    Args:
        game: whose condition is used.
        network: the generator or its moving average.
        latent: the prior of z, which may be truncated.

    Raises:
        UserError: it has no batch norm, or reads more than z and a class.
    """
    if game.task.reads is not None:
        raise UserError("statistics=whole: draws inputs from the prior, and this generator reads more; leave it out")
    network = copy.deepcopy(network).eval()
    if not (norms := norms_of(network)):
        raise UserError("statistics=whole: this run's generator has no batch norm; leave statistics out")
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    z = latent.sample(BATCHES * BATCH_SIZE, Draws(next(game.parameters()).device, 0, "statistics"))
    y = game.condition.in_turn(len(z), z.device)
    for start in range(0, len(z), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        game.generate(z[rows], None if y is None else y[rows], network)
    return network.eval()
