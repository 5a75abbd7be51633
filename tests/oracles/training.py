"""Critics trained against a generator that stands still, by the package's own phases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.conditions.base import Unconditional
from gan_cli.constraints.base import Constraint
from gan_cli.inputs.base import Input
from gan_cli.latents.prior import Normal
from gan_cli.losses.base import Loss
from gan_cli.models.critic import Critic
from gan_cli.models.mlp import Trunk
from gan_cli.rng import Draws
from gan_cli.studies.players import CriticOnly, Line
from gan_cli.training.eager import Eager
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState

__all__ = ["Gaussian", "Line", "build_state", "estimate", "generator_gradient", "outputs", "train"]
CPU = torch.device("cpu")


class Gaussian(nn.Module):
    """N(mu, 1) on a line."""

    def __init__(self, mu: float) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(mu))

    def forward(self, z: Tensor) -> Tensor:
        return self.mu + z


def build_state(
    generator: nn.Module,
    loss: Loss,
    constraint: Constraint | None = None,
    input: Input | None = None,
    dimensions: int = 1,
    lr: float = 1e-3,
    hidden: tuple[int, ...] = (64, 64),
    seed: int = 0,
) -> TrainState:
    torch.manual_seed(seed)
    critic = Critic(Trunk((dimensions,), hidden), {})
    game = Game(generator, critic, loss, constraint or Constraint(), Normal(1), Unconditional(), input)
    optimizers = {p: torch.optim.Adam(list(w.values()), lr, (0.5, 0.9)) for p, w in game.players().items()}
    return TrainState(game, optimizers, None, 1)


def train(state: TrainState, dataset, updates: int, batch_size: int = 128, seed: int = 0, decay: bool = True) -> None:
    """Make critic updates; the learning rate falls to 0 in the second half."""
    source = dataset.open(batch_size, seed, CPU).train
    run = Eager(CriticOnly(), source, batch_size, seed, CPU)
    (group,) = state.optimizers["critic"].param_groups
    lr = group["lr"]
    for i in range(updates):
        group["lr"] = lr * min(1.0, 2 * (1 - i / updates)) if decay else lr
        run(state)
        state.step += 1
    group["lr"] = lr


def outputs(state: TrainState, dataset, n: int = 4096):
    """Return the critic's outputs to fresh real and generated samples; the latter keep their graph."""
    game, draws = state.game, Draws(CPU, 0, state.step, 1)
    real = game.shown(dataset.open(n, 1, CPU).heldout.batch(*dataset.open(n, 1, CPU).heldout.draw(0)), "real", draws)
    real = real._replace(y=None)
    fake = game.shown(game.fake(n, None, draws), "fake", draws)
    return game.ask(*real), game.ask(*fake)


def estimate(state: TrainState, dataset, name: str) -> float:
    with torch.no_grad():
        return state.game.estimates(*outputs(state, dataset))[name].item()


def generator_gradient(state: TrainState, dataset) -> float:
    """Return d(generator's objective) / d(its one weight)."""
    real, fake = outputs(state, dataset)
    (weight,) = state.game.generator.parameters()
    (gradient,) = torch.autograd.grad(state.game.generator_objective(fake, real), weight)
    return gradient.item()
