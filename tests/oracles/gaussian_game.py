"""The f-GAN paper's experiment on the line: a Gaussian learns the mixture of two (Nowozin et al. 2016, section 2.4)."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch

from gan_cli.conditions.base import Unconditional
from gan_cli.constraints.base import Constraint
from gan_cli.constraints.zero_centred import R1R2
from gan_cli.data.synthetic import GaussianMixture1d
from gan_cli.latents.prior import Normal
from gan_cli.losses.base import Loss
from gan_cli.losses.fgan import FGAN
from gan_cli.models.critic import Critic
from gan_cli.models.mlp import Trunk
from gan_cli.studies.players import Affine
from gan_cli.studies.quadrature import X, gaussian, integral, mixture
from gan_cli.training.eager import Eager
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Updates

BATCH = 1024
CPU = torch.device("cpu")


def game(
    loss: Loss,
    mu: float = 0.0,
    sigma: float = 1.0,
    seed: int = 0,
    activation: str = "tanh",
    constraint: Constraint | None = None,
) -> Game:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = Critic(Trunk((1,), (64, 64), activation=activation, init="auto"), {})
    return Game(Affine(mu, sigma), critic, loss, constraint or Constraint(), Normal(1), Unconditional())


class Settings(NamedTuple):
    """How a game is trained.

    Both players use Adam, its learning rates falling exponentially to `final` times their first values, so that the
    noise of the samples leaves mu and sigma; the last quarter of the steps is averaged besides. The paper's critic has
    tanh units, whose score is bounded far out, where a divergence may ask for more.
    """

    steps: int = 2500
    critic_lr: float = 0.02
    generator_lr: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    final: float = 0.02
    activation: str = "tanh"
    gamma: float = 0.0  # of R1 + R2 on the critic


class Learned(NamedTuple):
    """mu and sigma, the mean of the last quarter of the steps; the trained game; the CPU time it took."""

    mu: float
    sigma: float
    game: Game
    seconds: float


def learn(loss: Loss, updates: Updates, settings: Settings, seed: int = 0) -> Learned:
    """Play the game from N(0, 1)."""
    constraint = R1R2(settings.gamma) if settings.gamma else Constraint()
    played = game(loss, seed=seed, activation=settings.activation, constraint=constraint)
    rates = {"critic": settings.critic_lr, "generator": settings.generator_lr}
    optimizers = {
        player: torch.optim.Adam(list(params.values()), rates[player], settings.betas, foreach=True)
        for player, params in played.players().items()
    }
    state = TrainState(played, optimizers, None, settings.steps)
    run = Eager(updates, GaussianMixture1d().open(BATCH, seed, CPU).train, BATCH, seed, CPU)
    path, began = [], time.process_time()
    while state.step < settings.steps:
        for player, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rates[player] * settings.final ** (state.step / settings.steps)
        run(state)
        state.step += 1
        path.append((played.generator.mu.item(), abs(played.generator.sigma.item())))
    mu, sigma = np.mean(path[-settings.steps // 4 :], axis=0)
    return Learned(mu, sigma, played, time.process_time() - began)


def bound(trained: Game) -> float:
    """F at the present critic, both expectations by quadrature."""
    x = torch.from_numpy(X).float()[:, None]
    mu, sigma = trained.generator.mu.item(), abs(trained.generator.sigma.item())
    with torch.no_grad():
        v = trained.ask(x).score.double()
    loss: FGAN = trained.loss
    on_real, on_fake = loss.divergence.activation(v).numpy(), loss.divergence.conjugate(v).numpy()
    return integral(np.exp(mixture(X)) * on_real) - integral(np.exp(gaussian(mu, sigma)(X)) * on_fake)
