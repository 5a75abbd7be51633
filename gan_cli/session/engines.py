"""Which engine runs a config, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from gan_cli.core.processes import processes
from gan_cli.errors import UserError
from gan_cli.training.eager import Eager

if TYPE_CHECKING:
    from gan_cli.data.source import RealData
    from gan_cli.session.build import Plan
    from gan_cli.training.distributed import Team
    from gan_cli.updates.base import Updates

Settings = Mapping[str, Any]


class Choice(NamedTuple):
    """An engine's name, and in a few words why it is the one; None: the config says so."""

    engine: str
    reason: str | None = None


def choose(settings: Settings, optimizers: Mapping[str, torch.optim.Optimizer]) -> Choice:
    """Return the engine of a config; `auto` is decided by rule and never by timing.

    Args:
        settings: with the device resolved.
        optimizers: `critic` and `generator`.

    Raises:
        UserError: the engine that the config names cannot run it.
    """
    wanted = settings["runtime"]["engine"]
    if wanted != "auto":
        if reason := _unfit(wanted, settings, optimizers):
            raise UserError(f"runtime.engine={wanted}: {reason}: runtime.engine=eager")
        return Choice(wanted)
    if not _cuda(settings):
        return Choice("eager", "on a CPU nearly all of the time is in the convolutions, and compiling takes a minute")
    if settings.get("allow_targets"):
        return Choice("eager", "code outside gan_cli may do work that a CUDA graph cannot repeat")
    if reason := _unfit("cuda_graph", settings, optimizers):
        return Choice("eager", f"no CUDA graphs: {reason}")
    return Choice("cuda_graph", "launching its operations one by one would take longer than they do")


def _unfit(engine: str, settings: Settings, optimizers: Mapping[str, torch.optim.Optimizer]) -> str | None:
    if engine == "eager":
        return None
    if (size := processes().size) > 1:
        return f"{size} processes exchange gradients, which it does not hold"
    if engine == "compile":
        return None
    if not _cuda(settings):
        return f"needs an NVIDIA GPU, this run is on {settings['runtime']['device']}"
    for player, optimizer in optimizers.items():
        if not optimizer.defaults.get("capturable", isinstance(optimizer, torch.optim.SGD)):
            return f"optimizer.{player} ({type(optimizer).__name__}) counts its steps on the host"
    return None


def _cuda(settings: Settings) -> bool:
    return settings["runtime"]["device"].startswith("cuda")


def make(plan: Plan, updates: Updates, data: RealData, team: Team | None = None, engine: str | None = None) -> Eager:
    """Return the engine of a checked config.

    Args:
        plan: the config.
        updates: its update rule.
        data: opened.
        team: the processes that train together; None: this one alone.
        engine: another than the config's.
    """
    train, engine = plan.settings["train"], engine or plan.settings["runtime"]["engine"]
    arguments = (updates, data.train, train["batch_size"], plan.settings["seed"], plan.device, train["accumulate"])
    if engine == "compile":
        from gan_cli.training.compiled import Compiled  # the compiler takes a second to import

        return Compiled(*arguments, team)
    if engine == "cuda_graph":
        from gan_cli.training.graphed import CudaGraphs

        return CudaGraphs(*arguments, team)
    return Eager(*arguments, team)
