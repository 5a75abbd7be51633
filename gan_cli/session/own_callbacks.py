"""Functions of the user's that watch a run: what they are given, and what they may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.rng import Draws
from gan_cli.session.plain_networks import PlainCritic, PlainGenerator
from gan_cli.training.phases import Logs
from gan_cli.training.sampling import sample
from gan_cli.training.state import TrainState

Callback = Callable[[Any, Mapping[str, float]], Any]


class Stopped(Exception):
    """A function of the user's has stopped the run; its state has been saved."""


class Snapshot:
    """A run after a step. Whatever is done with it, the training goes on as it would have.

    Attributes:
        step: steps done.
        total_steps: where the run ends.
    """

    def __init__(self, state: TrainState) -> None:
        self.step = state.step
        self.total_steps = state.total_steps
        self._state = state

    @cached_property
    def generator(self) -> PlainGenerator:
        """A copy of the generator that samples are drawn from, in eval mode: z (N, size) -> samples."""
        return PlainGenerator(self._state.game, self._state.best_generator())

    @cached_property
    def critic(self) -> PlainCritic:
        """A copy of the critic, in eval mode: samples -> scores (N,)."""
        return PlainCritic(self._state.game)

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        """Return n samples (n, ...) in the run's precision.

        Args:
            n: how many.
            seed: of z.
            y: classes (n,), in a run with classes; None: all in turn.
            source: (n, ...), for a generator that reads more than z.

        Raises:
            UserError: the generator reads sources, and there are none.
        """
        game, network = self._state.game, self._state.best_generator()
        draws = Draws(next(game.parameters()).device, seed, "sample")
        return torch.cat(list(sample(game, network, n, draws, y=y, source=source)))


class StepLogs(Mapping[str, float]):
    """The curves of one step, each the mean over the step's updates; the device is asked for a value when it is read.

    Args:
        logs: of each update of the step.
    """

    def __init__(self, logs: Sequence[Logs]) -> None:
        self._logs = logs

    def __getitem__(self, tag: str) -> float:
        """Return the value of a tag, such as critic/loss."""
        values = [log[tag] for log in self._logs if tag in log]
        if not values:
            raise KeyError(f"{tag}: the curves of this step are {', '.join(self)}")
        return float(torch.stack(values).mean())

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags())

    def __len__(self) -> int:
        return len(self._tags())

    def __repr__(self) -> str:
        return repr(dict(self))

    def _tags(self) -> dict[str, None]:
        return dict.fromkeys(tag for log in self._logs for tag in log)


class OwnCallbacks:
    """Calls the user's functions after each step.

    A function gets a `Snapshot`, or the `TrainState` itself if it has the attribute `changes_training = True`, and the
    step's curves. If what it returns is true, the run stops.

    Args:
        functions: called in this order.
        save: writes a checkpoint and returns once it is on the disk.
    """

    def __init__(self, functions: Sequence[Callback], save: Callable[[TrainState], None]) -> None:
        self.functions = functions
        self.save = save

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Call them.

        Raises:
            Stopped: one of them stops the run; it is saved.
            Exception: what one of them raises, after saving.
        """
        if not logs or not self.functions:
            return
        snapshot, values = Snapshot(state), StepLogs(logs)
        for function in self.functions:
            try:
                with torch.enable_grad():  # puts back what the function may set
                    stops = function(state if getattr(function, "changes_training", False) else snapshot, values)
            except Exception:
                self.save(state)
                raise
            if stops and state.step < state.total_steps:
                self.save(state)
                raise Stopped(f"{name_of(function)} stopped the run after step {state.step}")


def name_of(function: Callback) -> str:
    """Return a function's name, or its class's."""
    return getattr(function, "__qualname__", type(function).__qualname__)
