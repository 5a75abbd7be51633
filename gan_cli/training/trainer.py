"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gan_cli.training.phases import Logs
from gan_cli.training.state import TrainState


class Callback(Protocol):
    """Something that watches a run."""

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """See the state after a step, and each phase's logs of it; no logs before the first step of the process."""


def fit(state: TrainState, run: Callable[[TrainState], list[Logs]], callbacks: Sequence[Callback]) -> None:
    """Train until the state's last step.

    Args:
        state: what is trained, in place.
        run: one step: eager, compiled or graphed phases.
        callbacks: called in this order before the first step and after each.
    """
    for callback in callbacks:
        callback(state, [])
    while state.step < state.total_steps:
        logs = run(state)
        state.step += 1
        for callback in callbacks:
            callback(state, logs)
