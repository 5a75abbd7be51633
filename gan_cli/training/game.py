"""The game: two networks, and what each player minimises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.constraints.base import Constraint
from gan_cli.data.source import Batch
from gan_cli.latents.prior import Latent
from gan_cli.losses.base import Answer, Loss
from gan_cli.models.condition import Unconditional
from gan_cli.models.critic import Critic
from gan_cli.rng import Draws

Ask = Callable[[Tensor, "Tensor | None"], Answer]


class CriticTerms(NamedTuple):
    """What a critic update computes: the objective, its penalty (None where there is none), and both answers."""

    objective: Tensor
    penalty: Tensor | None
    real: Answer
    fake: Answer


class Game(nn.Module):
    """Two networks, a loss, a constraint and a prior.

    Args:
        generator: z (N, latent.size) -> samples (N, ...).
        critic: samples (N, ...) -> `Answer`.
        loss: both players' objectives.
        constraint: how the critic is kept smooth.
        latent: the prior of z.
        condition: how labels reach the networks.
        autocast_dtype: what the networks compute in under autocast; None: in their weights' float32.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: Critic,
        loss: Loss,
        constraint: Constraint,
        latent: Latent,
        condition: Unconditional,
        autocast_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.constraint = constraint
        self.latent = latent
        self.condition = condition
        self.autocast_dtype = autocast_dtype

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        return torch.autocast(device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None)

    def generate(self, z: Tensor, y: Tensor | None = None, network: nn.Module | None = None) -> Tensor:
        """Return float32 samples (N, ...) for z, from the generator or from another network in its place."""
        with self._autocast(z.device):
            return (network or self.generator)(self.condition.generator_input(z, y)).float()

    def fake(self, n: int, y: Tensor | None, draws: Draws) -> Batch:
        """Return n generated samples, with labels y where the game has them."""
        return Batch(self.generate(self.latent.sample(n, draws), y), y)

    def ask(self, x: Tensor, y: Tensor | None = None) -> Answer:
        """Return the critic's answer to samples x (N, ...)."""
        with self._autocast(x.device):
            return self.critic(self.condition.critic_input(x, y), y)

    def ask_with(self, weights: Mapping[str, Tensor]) -> Ask:
        """Return `ask` under other critic parameters and buffers, which alone are touched."""

        def ask(x: Tensor, y: Tensor | None = None) -> Answer:
            with self._autocast(x.device):
                x = self.condition.critic_input(x, y)
                return torch.func.functional_call(self.critic, dict(weights), (x, y))

        return ask

    def critic_terms(self, ask: Ask, real: Batch, fake: Batch, draws: Draws) -> CriticTerms:
        """Return what the critic minimises; real and fake pass it separately, each with its own batch statistics."""
        on_real, on_fake = ask(*real), ask(*fake)
        objective = self.loss.critic(on_real, on_fake)
        penalty = None
        if self.constraint.penalises:
            penalty = self.constraint.penalty(lambda x: self.loss.witness(ask(x, real.y)), real.x, fake.x, draws)
            objective = objective + penalty
        return CriticTerms(objective, penalty, on_real, on_fake)

    def generator_objective(self, ask: Ask, fake: Batch, real: Batch | None) -> Tensor:
        """Return what the generator minimises."""
        on_real = None if real is None else ask(*real)
        return self.loss.generator(ask(*fake), on_real)
