"""How a step's phases are run; the loop cannot tell."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from gan_cli.data.source import Batch, Source
from gan_cli.rng import Draws, seed_of
from gan_cli.training.distributed import Team
from gan_cli.training.phases import UPDATES, Logs, Share, shares
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase, Updates


class Eager:
    """Runs each phase operation by operation.

    Args:
        updates: the update rule.
        source: real samples.
        batch_size: samples a batch, of each kind.
        seed: the run's seed.
        device: where the state lives.
        accumulate: equal parts that a process takes its rows of a batch in, one after the other.
        team: the processes that train together; None: this one alone.
    """

    def __init__(
        self,
        updates: Updates,
        source: Source,
        batch_size: int,
        seed: int,
        device: torch.device,
        accumulate: int = 1,
        team: Team | None = None,
    ) -> None:
        self.updates = updates
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.accumulate = accumulate
        self.team = team
        self._ahead: tuple[int, tuple[Tensor, ...]] | None = None

    def next_real(self, state: TrainState) -> Batch:
        """Return the real batch that the next critic update will read, without taking it away."""
        if self._ahead is None or self._ahead[0] != state.real_batches:
            self._ahead = (state.real_batches, self.source.draw(state.real_batches))
        batch = self.source.batch(*self._ahead[1])
        return batch if state.game.condition.needs_labels else batch._replace(y=None)

    def __call__(self, state: TrainState) -> list[Logs]:
        """Run one step; return each phase's logs, 0-d tensors on the device."""
        with self.team.at_work() if self.team else nullcontext():
            return self._step(state)

    def _step(self, state: TrainState) -> list[Logs]:
        logs = []
        for index, phase in enumerate(self.updates.phases(state.step)):
            if phase.player == "critic" and not state.game.loss.critic_plays:
                continue
            draws = Draws(self.device, self.seed, state.step, index)
            torch.manual_seed(seed_of(self.seed, "global", state.step, index))  # a user's network may have dropout
            real = None
            if _reads_real(state, phase):
                real = self.next_real(state)
                state.real_batches += 1
            logs.append(UPDATES[phase.player](state, phase, self._own_shares(real, draws), self.team))
        return logs

    def _own_shares(self, real: Batch | None, draws: Draws) -> list[Share]:
        rank, size = (self.team.rank, self.team.size) if self.team else (0, 1)
        every = shares(self.batch_size, real, draws, size * self.accumulate)
        return every[rank * self.accumulate : (rank + 1) * self.accumulate]


def _reads_real(state: TrainState, phase: Phase) -> bool:
    game = state.game
    return phase.player != "generator" or bool(
        phase.inner or game.loss.generator_reads_real or game.condition.needs_labels
    )
