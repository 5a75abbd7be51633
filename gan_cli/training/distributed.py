"""A process group that trains one run: the same state in every process, a part of every batch in each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from gan_cli.core.processes import processes
from gan_cli.errors import GanError
from gan_cli.losses.base import CriticOutput
from gan_cli.training.shared_norm import share_batch_norm

if TYPE_CHECKING:
    from gan_cli.training.state import TrainState

WAIT = timedelta(minutes=30)  # for a process that prepares data or writes a checkpoint while the others wait


class ProcessLost(GanError):
    """Another process of the run has ended; it reports the reason itself."""


class ProcessGroup:
    """The processes of a run. Process 0 is the main process: it alone writes, and all begin from its state.

    Every process draws the same random numbers and the same real batch and takes its own rows of both, so that what is
    drawn does not depend on their number. Gradients are averaged, and the curves' values with them, in one flat tensor
    a phase; every process then makes the same optimizer step and sees the same numbers, NaN included.

    Args:
        rank: this process, from 0.
        size: how many there are.
        control: the group that agrees on signals, on the CPU.
        share_norm: batch norm sees the whole batch; else each process's rows.
    """

    def __init__(self, rank: int, size: int, control: Any, share_norm: bool) -> None:
        self.rank, self.size = rank, size
        self._control = control
        self._share_norm = share_norm
        self.working = False

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """Inside, batch norm may be shared; what the main process computes outside, for curves and pictures, is not.

        Raises:
            ProcessLost: another process has ended.
        """
        self.working = True
        try:
            yield
        except RuntimeError as error:
            raise _explained(error) from error
        finally:
            self.working = False

    def mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return each tensor's mean over the processes, in float32, by one collective operation."""
        flat = torch.cat([t.detach().float().flatten() for t in tensors])
        dist.all_reduce(flat)
        parts = flat.div_(self.size).split([t.numel() for t in tensors])
        # In the memory format of the tensor: a fast optimizer step wants it to be that of the weights.
        return [torch.empty_like(t, dtype=p.dtype).copy_(p.view_as(t)) for p, t in zip(parts, tensors, strict=True)]

    def whole(self, output: CriticOutput) -> CriticOutput:
        """Return the output to the whole batch, from the output to this process's rows."""
        heads = {name: self._gathered(head) for name, head in output.heads.items()}
        others = {field: getattr(output, field) for field in CriticOutput._fields if field != "heads"}
        return CriticOutput(heads=heads, **{f: None if t is None else self._gathered(t) for f, t in others.items()})

    def _gathered(self, rows: Tensor) -> Tensor:
        rows = rows.detach().contiguous()
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    def agreed(self, number: int) -> int:
        """Return the largest number that a process gives; the processes wait for each other, not for their GPUs.

        Raises:
            ProcessLost: another process has ended.
        """
        given = torch.tensor([number])
        try:
            dist.all_reduce(given, dist.ReduceOp.MAX, group=self._control)
        except RuntimeError as error:
            raise _explained(error) from error
        return int(given)

    def begin(self, state: TrainState) -> bool:
        """Give every process the main process's state; False: there is nothing to train.

        Raises:
            ProcessLost: another process has ended.
        """
        if not self.agreed(int(self.is_main)):
            return False
        try:
            self._spread(state)
        except RuntimeError as error:
            raise _explained(error) from error
        if self._share_norm:
            share_batch_norm(state.game, self)
        return True

    def dismiss(self) -> None:
        """Release the processes that wait in `begin`: there is nothing to train."""
        self.agreed(0)

    def _spread(self, state: TrainState) -> None:
        counts = torch.tensor([state.step, state.real_batches, state.critic_updates])
        dist.broadcast(counts, 0, group=self._control)
        state.step, state.real_batches, state.critic_updates = counts.tolist()
        slots = [[o.state_dict()["state"] for o in state.optimizers.values()] if self.is_main else None]
        dist.broadcast_object_list(slots, 0, group=self._control)
        if not self.is_main:
            for optimizer, found in zip(state.optimizers.values(), slots[0] or (), strict=True):
                optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})
        networks = [state.game, *([state.ema.network] if state.ema else [])]
        for tensor in (t for network in networks for t in network.state_dict().values()):
            flat = tensor.detach().contiguous()
            dist.broadcast(flat, 0)
            tensor.copy_(flat)


def are_several() -> bool:
    """Return whether this process is one of several that train one run."""
    return processes().size > 1


def join(cuda: bool, share_norm: bool) -> ProcessGroup:
    """Return the group of this process, once every other process has come.

    Args:
        cuda: each process has a GPU of its own.
        share_norm: batch norm sees the whole batch; else each process's rows.
    """
    here = processes()
    if cuda:
        torch.cuda.set_device(here.local_rank)
    store, rank, size = next(iter(dist.rendezvous("env://", timeout=WAIT)))
    if here.local_size == here.size:
        # One agent of torchrun's keeps its store when it starts the processes again, with the addresses of the dead.
        store = dist.PrefixStore(f"restart_{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=WAIT, store=store, rank=rank, world_size=size)
    control = dist.new_group(backend="gloo", timeout=WAIT) if cuda else dist.group.WORLD
    return ProcessGroup(here.rank, here.size, control, share_norm)


def _explained(error: RuntimeError) -> RuntimeError | ProcessLost:
    """Return an error of a collective operation as what it means; any other as it is."""
    lost = isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "NCCL"))
    return ProcessLost("another process of this run has ended") if lost else error
