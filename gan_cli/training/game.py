"""The game: generator, critic, and the objective of each player."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from gan_cli.schedules.schedule import Schedule
from gan_cli.tasks.base import Generate, Term
from gan_cli.training.branches import Branches

Ask = Callable[..., CriticOutput]  # (x, y=None, c=None, source=None)


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
        task: what the generator reads beside z and labels, and its further terms.
        schedule: what changes with the steps.
        frozen: names of parameters, or of modules with parameters, that no player moves.
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
        task: Generate | None = None,
        schedule: Schedule | None = None,
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.constraint = constraint
        self.latent = latent
        self.condition = condition
        self.input = input or Input()
        self.task = task or Generate()
        self.schedule = schedule or Schedule()
        self.frozen = frozen
        self.autocast_dtype = autocast_dtype

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return who trains what, by player and name: the loss's heads on the critic move with the generator.

        What needs no gradient, such as a layer that the user has frozen, is nobody's.
        """
        loss_heads = tuple(f"heads.{name}." for name in self.loss.heads(self.latent))
        critic = {f"critic.{name}": p for name, p in self.critic.named_parameters() if p.requires_grad}
        with_generator = {k: p for k, p in critic.items() if k.removeprefix("critic.").startswith(loss_heads)}
        generator = {f"generator.{name}": p for name, p in self.generator.named_parameters() if p.requires_grad}
        players = {
            "critic": {name: p for name, p in critic.items() if name not in with_generator},
            "generator": generator | with_generator,
        }
        return {
            player: {name: p for name, p in found.items() if not self.is_frozen(name)}
            for player, found in players.items()
        }

    def is_frozen(self, name: str) -> bool:
        """Return whether no player moves the parameter of this name, such as critic.trunk.layers.0.weight."""
        return any(f"{name}.".startswith(f"{one}.") for one in self.frozen)

    def projected(self) -> dict[str, nn.Parameter]:
        """Return the critic's parameters that the constraint projects, by their names in the critic; never a head."""
        return {
            f"{prefix}.{name}" if prefix else name: p
            for prefix, module in self.critic.named_modules()
            if not prefix.startswith("heads") and self.constraint.projects(module)
            for name, p in module.named_parameters(recurse=False)
            if p.requires_grad and not self.is_frozen(f"critic.{prefix}.{name}")
        }

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        return torch.autocast(device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None)

    @property
    def reads_real(self) -> bool:
        """Whether the generator reads what a batch of real samples has: labels or a source."""
        return self.condition.needs_labels or self.task.reads is not None

    def read(self, real: Batch, draws: Draws) -> Batch:
        """Return a real batch with what the networks read of it: labels and a source where they need them."""
        real = real if self.condition.needs_labels else real._replace(y=None)
        return self.task.with_source(real, draws)

    def generate(
        self, z: Tensor, y: Tensor | None = None, network: nn.Module | None = None, source: Tensor | None = None
    ) -> Tensor:
        """Return float32 samples (N, ...) for z, from the generator or from another network in its place."""
        inputs = self.task.generator_input(source, *self.condition.generator_input(z, y))
        with self._autocast(z.device):
            return self.task.written((network or self.generator)(*inputs).float(), source)

    def fake(self, n: int, like: Batch | None, draws: Draws) -> Batch:
        """Return n generated samples.

        Args:
            n: samples.
            like: real samples, read: the fakes have their labels and their sources; None: there are neither.
            draws: stream `z` is used.
        """
        y, source = (None, None) if like is None else (like.y, like.source)
        z = self.latent.sample(n, draws)
        return Batch(self.generate(z, y, source=source), y, self.latent.codes_of(z), source)

    def shown(self, batch: Batch, kind: str, draws: Draws) -> Batch:
        """Return a batch as the critic sees it; `kind` is real or fake."""
        return batch._replace(x=self.input(batch.x, f"input.{kind}", draws))

    def ask(
        self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None, source: Tensor | None = None
    ) -> CriticOutput:
        """Return the critic's output to samples x (N, ...)."""
        with self._autocast(x.device):
            return self.critic(x, y, c, self._trunk_input(x, y, source))

    def _trunk_input(self, x: Tensor, y: Tensor | None, source: Tensor | None) -> Tensor:
        return self.condition.critic_input(self.task.critic_input(x, source), y)

    def ask_with(self, weights: Mapping[str, Tensor]) -> Ask:
        """Return `ask` under other critic parameters and buffers, which alone are touched."""

        def ask(
            x: Tensor, y: Tensor | None = None, c: Tensor | None = None, source: Tensor | None = None
        ) -> CriticOutput:
            with self._autocast(x.device):
                arguments = (x, y, c, self._trunk_input(x, y, source))
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
        due = self.constraint.penalises if penalised is None else penalised
        reads_outputs = self.constraint.of_scores or type(self.loss).penalised_function is not Loss.penalised_function
        moves_buffers = any(True for _ in self.critic.buffers())  # of batch or spectral norm
        branches, penalty = Branches(real.x.numel()), None
        with branches.apart():
            on_real = ask(*real)
        if moves_buffers:
            branches.join()
        with branches.apart():
            on_fake = ask(*fake)
        if due:
            if moves_buffers or reads_outputs:
                branches.join()
            penalty = self._penalty(ask, real, fake, on_real, on_fake, draws)
        branches.join()
        objective = self._objective(on_real, on_fake)
        if due:
            objective = objective + self.constraint.every * penalty
        return CriticTerms(objective, penalty, on_real, on_fake)

    def _objective(self, on_real: CriticOutput, on_fake: CriticOutput) -> Tensor:
        objective = self.loss.critic(on_real, on_fake)
        term = self.condition.critic_term(on_real, on_fake)
        return objective if term is None else objective + term

    def _penalty(
        self, ask: Ask, real: Batch, fake: Batch, on_real: CriticOutput, on_fake: CriticOutput, draws: Draws
    ) -> Tensor:
        if self.constraint.of_scores:
            penalty = self.constraint.score_penalty(on_real.score, on_fake.score)
        else:
            f = self.penalised_function(real, on_real, on_fake, ask)
            penalty = self.constraint.penalty(f, real.x, fake.x, draws)
        return draws.scheduled(self.schedule.penalty) * penalty if self.schedule.moves_penalty else penalty

    def penalised_function(
        self, real: Batch, on_real: CriticOutput, on_fake: CriticOutput, ask: Ask | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Return the function of samples (N, ...) whose gradient a penalty measures, (N,); of patches their mean.

        Args:
            real: shown to the critic; the labels and sources of the points are its.
            on_real: the critic's output to it.
            on_fake: its output to as many fakes.
            ask: the critic, under any weights; None: as it is.
        """
        ask = ask or self.ask

        def f(x: Tensor) -> Tensor:
            values = self.loss.penalised_function(ask(x, real.y, None, real.source), on_real, on_fake)
            return values if len(values) == len(x) else values.view(len(x), -1).mean(dim=1)

        return f

    def generator_objective(self, on_fake: CriticOutput, on_real: CriticOutput | None) -> Tensor:
        """Return what the generator minimises in the game, given the critic's outputs."""
        objective = self.loss.generator(on_fake, on_real)
        term = self.condition.generator_term(on_fake)
        return objective if term is None else objective + term

    def further_terms(self, fake: Batch, real: Batch | None) -> dict[str, Term]:
        """Return what else the task makes the generator minimise, by name; real and fake as they are, not as shown."""

        def again(source: Tensor) -> Tensor:
            z = fake.x.new_zeros(len(source), self.latent.total_size)
            return self.generate(z, fake.y, source=source)

        return self.task.generator_terms(fake, real, again)

    def estimates(self, on_real: CriticOutput, on_fake: CriticOutput) -> dict[str, Tensor]:
        """Return the curves of the loss and of the condition, 0-d each."""
        return self.loss.estimates(on_real, on_fake) | self.condition.estimates(on_real, on_fake)
