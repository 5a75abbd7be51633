"""How a step's phases are run; the loop cannot tell."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.data.source import Batch, Source
from gan_cli.rng import Draws, seed_of
from gan_cli.training.phases import UPDATES, Logs
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Updates


class Eager:
    """Runs each phase operation by operation.

    Args:
        updates: the update rule.
        source: real samples.
        batch_size: samples a batch, of each kind.
        seed: the run's seed.
        device: where the state lives.
    """

    def __init__(self, updates: Updates, source: Source, batch_size: int, seed: int, device: torch.device) -> None:
        self.updates = updates
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self._ahead: tuple[int, tuple[Tensor, ...]] | None = None

    def next_real(self, state: TrainState) -> Batch:
        """Return the real batch that the next critic update will read, without taking it away."""
        if self._ahead is None or self._ahead[0] != state.real_batches:
            self._ahead = (state.real_batches, self.source.draw(state.real_batches))
        return self._labelled(state, self.source.batch(*self._ahead[1]))

    def _labelled(self, state: TrainState, batch: Batch) -> Batch:
        return batch if state.game.condition.needs_labels else batch._replace(y=None)

    def __call__(self, state: TrainState) -> list[Logs]:
        """Run one step; return each phase's logs, 0-d tensors on the device."""
        logs = []
        game = state.game
        for index, phase in enumerate(self.updates.phases(state.step)):
            draws = Draws(self.device, self.seed, state.step, index)
            torch.manual_seed(seed_of(self.seed, "global", state.step, index))  # a user's network may have dropout
            real = None
            if phase.player == "critic" or game.loss.generator_reads_real or game.condition.needs_labels:
                real = self.next_real(state)
                state.real_batches += 1
            logs.append(UPDATES[phase.player](state, phase, self.batch_size, real, draws))
        return logs
