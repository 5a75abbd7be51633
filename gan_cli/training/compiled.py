"""Runs phases as compiled code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_cli.data.source import Batch
from gan_cli.errors import GanError
from gan_cli.training.eager import Eager, variant
from gan_cli.training.phases import PARTS, Microbatch, Part
from gan_cli.training.state import TrainState
from gan_cli.training.static import Given, Recording, Request, answers
from gan_cli.updates.base import Phase

logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns on every machine without a GPU


class _Program(NamedTuple):
    """A microbatch's computation as fixed operations: its draws, and what makes a `Part` of them and of real data."""

    requests: list[Request]
    run: Callable[[list[Tensor], Batch | None], Part]


class Compiled(Eager):
    """Runs what a phase computes as compiled code: both networks, the loss, penalties and every gradient.

    The operations of a microbatch are recorded once for each variant of a phase, with those of its first and second
    derivatives, so that gradient penalties and unrolling are compiled like the rest. The optimizer's step,
    projection and averages stay as they are: they are a hundredth of the time.

    Args:
        arguments: of `Eager`.
        compiler: makes a callable of recorded operations; the recording itself is one.
    """

    def __init__(
        self, *arguments: Any, compiler: Callable[[GraphModule], Callable[..., Any]] = torch.compile, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.compiler = compiler
        self._programs: dict[Hashable, _Program] = {}

    def _part(self, state: TrainState, phase: Phase, microbatch: Microbatch) -> Part:
        key = variant(state, phase)
        first = key not in self._programs
        if first:
            self._programs[key] = self._program(state, phase, microbatch)
        requests, run = self._programs[key]
        values = answers(requests, microbatch.draws, self.device)
        with torch.no_grad(), explained(first):  # compiled as it is first called
            return run(values, microbatch.real)

    def _program(self, state: TrainState, phase: Phase, microbatch: Microbatch) -> _Program:
        requests: list[Request] = []
        part = PARTS[phase.player]

        def operations(values: list[Tensor], real: Batch | None) -> Part:
            return part(state, phase, Microbatch(microbatch.n, real, Given(values)))

        with unmoved(state.game):
            part(state, phase, microbatch._replace(draws=Recording(microbatch.draws.again(), requests)))
        values = answers(requests, microbatch.draws.again(), self.device)
        with unmoved(state.game), explained(True):
            recorded = make_fx(operations)(values, microbatch.real)
        return _Program(requests, self.compiler(recorded))


@contextmanager
def unmoved(network: nn.Module) -> Iterator[None]:
    """Leave a network's buffers and torch's global random numbers as they are."""
    kept = [b.clone() for b in network.buffers()]
    devices = {b.device.index for b in network.parameters() if b.is_cuda}
    with torch.random.fork_rng(devices=devices):
        yield
    for buffer, before in zip(network.buffers(), kept, strict=True):
        buffer.copy_(before)


@contextmanager
def explained(first: bool) -> Iterator[None]:
    """Inside, an error of the compiler is one line that names the fix.

    Raises:
        GanError: of an error inside, if this is the first time.
    """
    try:
        yield
    except Exception as error:
        if not first or isinstance(error, (GanError, torch.OutOfMemoryError)):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise GanError(
            f"runtime.engine=compile: this step cannot be compiled here ({type(error).__name__}: {reason}): "
            "runtime.engine=eager"
        ) from error
