"""Runs phases operation by operation."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli.data.source import Batch, Source
from gan_cli.rng import Draws, seed_of
from gan_cli.training.phases import PARTS, Logs, Microbatch, Part, microbatches, update
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase, Updates

if TYPE_CHECKING:
    from gan_cli.training.distributed import ProcessGroup

Drawn = tuple[Tensor, ...]


class Eager:
    """Runs each phase operation by operation.

    Args:
        updates: the update rule.
        source: real samples.
        batch_size: samples a batch, of each kind.
        seed: the run's seed.
        device: where the state lives.
        accumulate: equal parts that a process takes its rows of a batch in, one after the other.
        group: the processes that train together; None: this one alone.
    """

    def __init__(
        self,
        updates: Updates,
        source: Source,
        batch_size: int,
        seed: int,
        device: torch.device,
        accumulate: int = 1,
        group: ProcessGroup | None = None,
    ) -> None:
        self.updates = updates
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.accumulate = accumulate
        self.group = group
        self._ahead: tuple[int, Drawn] | None = None

    def next_real(self, state: TrainState) -> Batch:
        """Return the real batch that the next critic update will read, without taking it away."""
        return self._real(state, self._draw_real(state))

    def __call__(self, state: TrainState) -> list[Logs]:
        """Run one step; return each phase's logs, 0-d tensors on the device."""
        with self.group.in_step() if self.group else nullcontext():
            return self._step(state)

    def _step(self, state: TrainState) -> list[Logs]:
        logs = []
        state.follow_schedule()
        for index, phase in enumerate(self.updates.phases(state.step)):
            if phase.player == "critic" and not state.game.loss.critic_plays:
                continue
            draws = Draws(self.device, self.seed, state.step, index)
            rank = self.group.rank if self.group else 0
            torch.manual_seed(seed_of(self.seed, "global", state.step, index, rank))  # of a user's network with dropout
            drawn = None
            if _reads_real(state, phase):
                drawn = self._draw_real(state)
                state.real_batches += 1
            logs.append(self._phase(state, phase, drawn, draws))
            state.critic_updates += phase.player != "generator"
        return logs

    def _phase(self, state: TrainState, phase: Phase, drawn: Drawn | None, draws: Draws) -> Logs:
        """Run one phase on what the source drew for it, if anything, and on its random numbers."""
        return update(state, phase, self._microbatches(self._real(state, drawn), draws), self.group, self._part)

    def _part(self, state: TrainState, phase: Phase, microbatch: Microbatch) -> Part:
        return PARTS[phase.player](state, phase, microbatch)

    def _draw_real(self, state: TrainState) -> Drawn:
        if self._ahead is None or self._ahead[0] != state.real_batches:
            self._ahead = (state.real_batches, self.source.draw(state.real_batches))
        return self._ahead[1]

    def _real(self, state: TrainState, drawn: Drawn | None) -> Batch | None:
        if drawn is None:
            return None
        batch = self.source.batch(*drawn)
        return batch if state.game.condition.needs_labels else batch._replace(y=None)

    def _microbatches(self, real: Batch | None, draws: Draws) -> list[Microbatch]:
        """Return this process's microbatches of the batch."""
        rank, size = (self.group.rank, self.group.size) if self.group else (0, 1)
        every = microbatches(self.batch_size, real, draws, size * self.accumulate)
        return every[rank * self.accumulate : (rank + 1) * self.accumulate]


def variant(state: TrainState, phase: Phase) -> Hashable:
    """Return a key that differs between phases of different operations: who moves, and which penalties are due."""
    constraint = state.game.constraint
    if not constraint.penalises or (phase.player == "generator" and not phase.inner):
        return phase, None
    since = state.critic_updates % constraint.every
    return phase, since if phase.inner else since == 0


def _reads_real(state: TrainState, phase: Phase) -> bool:
    game = state.game
    return phase.player != "generator" or bool(phase.inner or game.loss.generator_reads_real or game.reads_real)
