"""Chooses the engine that runs a config, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch

from gan_cli.config.schema import RunConfig, Runtime
from gan_cli.core.processes import processes
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.schedules.schedule import Schedule
from gan_cli.training.distributed import ProcessGroup
from gan_cli.training.eager import Eager
from gan_cli.updates.base import Updates

_RATE_ON_DEVICE = (torch.optim.Adam, torch.optim.AdamW)  # these read a learning rate that is a tensor on the device


class EngineChoice(NamedTuple):
    """An engine's name, and in a few words why it is the one; None: the config says so."""

    engine: str
    reason: str | None = None


def choose(
    runtime: Runtime,
    optimizers: Mapping[str, torch.optim.Optimizer],
    own_code: bool = False,
    schedule: Schedule | None = None,
) -> EngineChoice:
    """Return the engine of a config; `auto` is decided by rule and never by timing.

    Args:
        runtime: with the device resolved.
        optimizers: `critic` and `generator`.
        own_code: a part is of code outside gan_cli and torch.
        schedule: what changes with the steps.

    Raises:
        UserError: the engine that the config names cannot run it.
    """
    wanted = runtime.engine
    if wanted != "auto":
        if reason := _unfit(wanted, runtime, optimizers, schedule):
            raise UserError(f"runtime.engine={wanted}: {reason}: runtime.engine=eager")
        return EngineChoice(wanted)
    if not _cuda(runtime):
        return EngineChoice(
            "eager", "on a CPU nearly all of the time is in the convolutions, and compiling takes a minute"
        )
    if own_code:
        return EngineChoice("eager", "code outside gan_cli may do work that a CUDA graph cannot repeat")
    if reason := _unfit("cuda_graph", runtime, optimizers, schedule):
        return EngineChoice("eager", f"no CUDA graphs: {reason}")
    return EngineChoice(
        "cuda_graph", "launching the operations one by one would take longer than the operations themselves"
    )


def _unfit(
    engine: str, runtime: Runtime, optimizers: Mapping[str, torch.optim.Optimizer], schedule: Schedule | None
) -> str | None:
    if engine == "eager":
        return None
    if (size := processes().size) > 1:
        return f"{size} processes exchange gradients, which a CUDA graph cannot contain"
    if engine == "compile":
        return None
    if not _cuda(runtime):
        return f"needs an NVIDIA GPU, this run is on {runtime.device}"
    if schedule is not None and schedule.moves_betas:
        return "schedule.beta2_end changes a number that torch keeps on the host"
    for player, optimizer in optimizers.items():
        if schedule is not None and schedule.moves_rates and not isinstance(optimizer, _RATE_ON_DEVICE):
            return f"optimizer.{player} ({type(optimizer).__name__}) reads the learning rate of a schedule on the host"
        if not optimizer.defaults.get("capturable", isinstance(optimizer, torch.optim.SGD)):
            return f"optimizer.{player} ({type(optimizer).__name__}) counts its steps on the host"
    return None


def _cuda(runtime: Runtime) -> bool:
    return runtime.device.startswith("cuda")


def make(
    config: RunConfig,
    updates: Updates,
    data: RealData,
    device: torch.device,
    group: ProcessGroup | None = None,
    engine: str | None = None,
) -> Eager:
    """Return the engine of a checked config.

    Args:
        config: resolved.
        updates: its update rule.
        data: opened.
        device: where the run trains.
        group: the processes that train together; None: this one alone.
        engine: another than the config's.
    """
    engine, train = engine or config.runtime.engine, config.train
    arguments = (updates, data.train, train.batch_size, config.seed, device, train.accumulate)
    if engine == "compile":
        from gan_cli.training.compiled import Compiled  # the compiler takes a second to import

        return Compiled(*arguments, group)
    if engine == "cuda_graph":
        from gan_cli.training.graphed import CudaGraphs

        return CudaGraphs(*arguments, group)
    return Eager(*arguments, group)
