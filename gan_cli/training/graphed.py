"""Runs phases as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli.errors import GanError
from gan_cli.rng import Draws
from gan_cli.training.eager import Drawn, Eager, variant
from gan_cli.training.phases import Logs, update
from gan_cli.training.state import TrainState
from gan_cli.training.static import Given, Recording, Request, answers
from gan_cli.updates.base import Phase

Work = Callable[[], Tensor]


class _Graph(NamedTuple):
    """A captured phase: what it reads is copied in, and its curves come out under these tags."""

    drawn: list[Tensor]
    values: list[Tensor]
    replay: Work
    tags: list[str]


class CudaGraphs(Eager):
    """Replays a whole phase as one CUDA graph.

    In the graph are the gather of real samples, both networks, gradients, the optimizer's step, projection, moving
    average and curves. A variant of a phase runs operation by operation the first time, which brings the optimizer's
    and the libraries' state into being, is captured the second time and replayed from then on. Random numbers are drawn
    outside and copied in, so that n_critic, lazy penalties and schedules stay free, and results are those of `Eager`.

    Args:
        arguments: of `Eager`.
        capture: makes a replayable function of one that does the same device work at every call.
    """

    def __init__(self, *arguments: Any, capture: Callable[[Work], Work] | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.capture = capture or CudaCapture()
        self._requests: dict[Hashable, list[list[Request]]] = {}
        self._graphs: dict[Hashable, _Graph] = {}

    def _phase(self, state: TrainState, phase: Phase, drawn: Drawn | None, draws: Draws) -> Logs:
        key = variant(state, phase)
        if key not in self._requests:
            return self._recorded(state, phase, drawn, draws, key)
        values = self._values(draws, self._requests[key])
        if key not in self._graphs:
            self._graphs[key] = self._captured(state, phase, drawn, values, draws)
        graph = self._graphs[key]
        for target, source in zip([*graph.drawn, *graph.values], [*(drawn or ()), *values], strict=True):
            target.copy_(source, non_blocking=True)
        return dict(zip(graph.tags, graph.replay().clone().unbind(), strict=True))

    def _recorded(self, state: TrainState, phase: Phase, drawn: Drawn | None, draws: Draws, key: Hashable) -> Logs:
        batch = self._microbatches(self._real(state, drawn), draws)
        requests: list[list[Request]] = [[] for _ in batch]
        recording = [
            microbatch._replace(draws=Recording(microbatch.draws, kept))
            for microbatch, kept in zip(batch, requests, strict=True)
        ]
        logs = update(state, phase, recording, self.group)
        self._requests[key] = requests
        return logs

    def _values(self, draws: Draws, requests: list[list[Request]]) -> list[Tensor]:
        return [
            value
            for microbatch, asked in zip(self._microbatches(None, draws), requests, strict=True)
            for value in answers(asked, microbatch.draws, self.device)
        ]

    def _captured(
        self, state: TrainState, phase: Phase, drawn: Drawn | None, values: list[Tensor], draws: Draws
    ) -> _Graph:
        fixed, given = [t.clone() for t in drawn or ()], [v.clone() for v in values]
        tags: list[str] = []

        def work() -> Tensor:
            batch = self._microbatches(self._real(state, None if drawn is None else tuple(fixed)), draws)
            rest = iter(given)
            mine = [microbatch._replace(draws=Given(rest)) for microbatch in batch]
            logs = update(state, phase, mine, self.group)
            tags[:] = logs
            return torch.stack(list(logs.values()))

        return _Graph(fixed, given, self.capture(work), tags)


class CudaCapture:
    """Captures work as CUDA graphs that share one pool of memory, for they never run at the same time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Work) -> Work:
        """Return what replays the work; capturing does none of it.

        Raises:
            GanError: it asks the device for a value or does something else that a graph cannot hold.
        """
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads, which read images ahead or write checkpoints, may run meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"), _branches_meet():
                result = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise GanError(
                f"runtime.engine=cuda_graph: this step cannot be captured ({reason}): runtime.engine=eager"
            ) from error

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay


@contextmanager
def _branches_meet() -> Iterator[None]:
    """Inside, torch does not warn where gradients of several `Branches` meet at a weight; it waits for each of them."""
    warn = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", lambda _: None)  # torch 2.10
    warn(False)
    try:
        yield
    finally:
        warn(True)
