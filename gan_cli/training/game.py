"""The game: generator, critic, and the objective of each player."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.conditions.base import Unconditional
from gan_cli.constraints.base import Constraint
from gan_cli.data.source import Batch
from gan_cli.inputs.base import Input
from gan_cli.latents.base import Latent
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.rng import Draws

Ask = Callable[..., CriticOutput]  # (x, y=None, c=None)


class CriticTerms(NamedTuple):
    """What a critic update computes: the objective, the penalty (None where none is due), and both outputs.

    A lazy penalty is in the objective `every` times, for the updates without it, and here once.
    """

    objective: Tensor
    penalty: Tensor | None
    real: CriticOutput
    fake: CriticOutput


class Game(nn.Module):
    """Two networks, a loss, a constraint, a prior, and what stands between samples and the critic.

    Args:
        generator: what `condition.generator_input` returns -> samples (N, ...).
        critic: (x, y, c, what its trunk reads) -> `CriticOutput`.
        loss: both players' objectives.
        constraint: how the critic is kept smooth.
        latent: the prior of z.
        condition: how labels reach the networks.
        input: what is done to samples before the critic sees them.
        autocast_dtype: what the networks compute in under autocast; None: in their weights' float32.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        loss: Loss,
        constraint: Constraint,
        latent: Latent,
        condition: Unconditional,
        input: Input | None = None,
        autocast_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.constraint = constraint
        self.latent = latent
        self.condition = condition
        self.input = input or Input()
        self.autocast_dtype = autocast_dtype

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return who trains what, by player and name: the loss's heads on the critic move with the generator."""
        loss_heads = tuple(f"heads.{name}." for name in self.loss.heads(self.latent))
        critic = {f"critic.{name}": p for name, p in self.critic.named_parameters()}
        with_generator = {k: p for k, p in critic.items() if k.removeprefix("critic.").startswith(loss_heads)}
        generator = {f"generator.{name}": p for name, p in self.generator.named_parameters()}
        return {
            "critic": {name: p for name, p in critic.items() if name not in with_generator},
            "generator": generator | with_generator,
        }

    def projected(self) -> dict[str, nn.Parameter]:
        """Return the critic's parameters that the constraint projects, by their names in the critic; never a head."""
        return {
            f"{prefix}.{name}" if prefix else name: p
            for prefix, module in self.critic.named_modules()
            if not prefix.startswith("heads") and self.constraint.projects(module)
            for name, p in module.named_parameters(recurse=False)
        }

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        return torch.autocast(device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None)

    def generate(self, z: Tensor, y: Tensor | None = None, network: nn.Module | None = None) -> Tensor:
        """Return float32 samples (N, ...) for z, from the generator or from another network in its place."""
        with self._autocast(z.device):
            return (network or self.generator)(*self.condition.generator_input(z, y)).float()

    def fake(self, n: int, y: Tensor | None, draws: Draws) -> Batch:
        """Return n generated samples, with labels y where the game has them and codes where the prior has them."""
        z = self.latent.sample(n, draws)
        return Batch(self.generate(z, y), y, self.latent.codes_of(z))

    def shown(self, batch: Batch, kind: str, draws: Draws) -> Batch:
        """Return a batch as the critic sees it; `kind` is real or fake."""
        return batch._replace(x=self.input(batch.x, f"input.{kind}", draws))

    def ask(self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None) -> CriticOutput:
        """Return the critic's output to samples x (N, ...)."""
        with self._autocast(x.device):
            return self.critic(x, y, c, self.condition.critic_input(x, y))

    def ask_with(self, weights: Mapping[str, Tensor]) -> Ask:
        """Return `ask` under other critic parameters and buffers, which alone are touched."""

        def ask(x: Tensor, y: Tensor | None = None, c: Tensor | None = None) -> CriticOutput:
            with self._autocast(x.device):
                arguments = (x, y, c, self.condition.critic_input(x, y))
                return torch.func.functional_call(self.critic, dict(weights), arguments)

        return ask

    def critic_terms(
        self, ask: Ask, real: Batch, fake: Batch, draws: Draws, penalised: bool | None = None
    ) -> CriticTerms:
        """Return what the critic minimises; real and fake pass it separately, each with its own batch statistics.

        Args:
            ask: the critic, under any weights.
            real: as shown to the critic.
            fake: as shown to the critic.
            draws: the random numbers of this phase.
            penalised: the penalty is due in this update; None: where the constraint has one.
        """
        on_real, on_fake = ask(*real), ask(*fake)
        objective = self.loss.critic(on_real, on_fake)
        term = self.condition.critic_term(on_real, on_fake)
        objective = objective if term is None else objective + term
        penalty = None
        if self.constraint.penalises if penalised is None else penalised:
            penalty = self.constraint.penalty(
                lambda x: self.loss.penalised_function(ask(x, real.y), on_real, on_fake), real.x, fake.x, draws
            )
            objective = objective + self.constraint.every * penalty
        return CriticTerms(objective, penalty, on_real, on_fake)

    def generator_objective(self, on_fake: CriticOutput, on_real: CriticOutput | None) -> Tensor:
        """Return what the generator minimises, given the critic's outputs."""
        objective = self.loss.generator(on_fake, on_real)
        term = self.condition.generator_term(on_fake)
        return objective if term is None else objective + term

    def estimates(self, on_real: CriticOutput, on_fake: CriticOutput) -> dict[str, Tensor]:
        """Return the curves of the loss and of the condition, 0-d each."""
        return self.loss.estimates(on_real, on_fake) | self.condition.estimates(on_real, on_fake)
