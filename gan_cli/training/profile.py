"""Where the time of a step goes: a trace, the most expensive operations, the share of the machine's peak."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan_cli.training.phases import Logs
from gan_cli.training.state import TrainState

WARM_UP, RECORDED = 2, 3  # steps: the first ones pay for caches; then those of the trace, then one that is counted
STEPS = WARM_UP + RECORDED + 1
SHOWN = 5
_BURST_SECONDS = 0.3


class Profile:
    """Runs steps as an engine does, and records a few of them; what they compute stays the same.

    Args:
        run: one step.
        eager: the same step operation by operation, whose operations are counted; `run` itself where it is such a one.
        folder: where the trace goes, as TensorBoard's profiler plugin and Perfetto read it.
        device: where the state lives.
        precision: of the run's matrix products, which the peak is measured in.
        note: shows a line.
    """

    def __init__(
        self,
        run: Callable[[TrainState], list[Logs]],
        eager: Callable[[TrainState], list[Logs]],
        folder: Path,
        device: torch.device,
        precision: str,
        note: Callable[[str], None],
    ) -> None:
        self.run, self.eager, self.note = run, eager, note
        self.folder, self.device, self.precision = folder, device, precision
        self._done = 0
        self._seconds = 0.0
        self._profiler: profile | None = None

    def __call__(self, state: TrainState) -> list[Logs]:
        """Run one step; return each phase's logs."""
        self._done += 1
        if self._done > STEPS:
            return self.run(state)
        if self._done == STEPS:
            return self._counted(state)
        if self._done == WARM_UP + 1:
            kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.device.type == "cuda" else [])]
            self._profiler = profile(activities=kinds)
            self._profiler.start()
            self._seconds = time.perf_counter()
        logs = self.run(state)
        if self._done == WARM_UP + RECORDED:
            self._recorded(state.step)
        return logs

    def _recorded(self, last: int) -> None:
        _wait(self.device)
        self._seconds = (time.perf_counter() - self._seconds) / RECORDED
        self._profiler.stop()
        self.folder.mkdir(exist_ok=True)
        trace = self.folder / f"step_{last - RECORDED + 2:010d}.pt.trace.json.gz"
        self._profiler.export_chrome_trace(str(trace))
        cuda = self.device.type == "cuda"
        costs = {
            e.key: e.self_device_time_total if cuda else e.self_cpu_time_total for e in self._profiler.key_averages()
        }
        whole = sum(costs.values()) or 1
        most_expensive = sorted(costs, key=costs.__getitem__, reverse=True)[:SHOWN]
        self.note(f"profile of {RECORDED} steps: {trace}; the most expensive operations:")
        for name in most_expensive:
            self.note(f"  {costs[name] / whole:6.1%}  {costs[name] / 1e3 / RECORDED:9.2f} ms a step  {name}")
        self._profiler = None

    def _counted(self, state: TrainState) -> list[Logs]:
        with Operations() as counted:
            logs = self.eager(state if self.eager is self.run else copy.deepcopy(state))
        if self.eager is not self.run:
            logs = self.run(state)
        flops = counted.flops
        peak = peak_flops(self.device, self.precision)
        speed = flops / self._seconds
        self.note(
            f"  {flops / 1e9:.4g} GFLOP a step, {speed / 1e9:.4g} GFLOP/s while it was recorded: "
            f"{speed / peak:.1%} of the {peak / 1e9:.4g} GFLOP/s that this machine reached in {self.precision}"
        )
        return logs


class Operations(TorchDispatchMode):
    """Counts matrix products and convolutions, at every order of derivative; torch's own mode fails in double backward.

    Attributes:
        flops: floating-point operations, by torch's formulas.
        bytes: what they read and write, each tensor once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            factors = [a for a in args if not isinstance(a, torch.dtype)]  # torch's formulas do not expect any
            self.flops += count(*factors, **(kwargs or {}), out_val=result)
            tensors = [
                t for t in (*args, *(result if isinstance(result, tuple) else [result])) if isinstance(t, Tensor)
            ]
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return result


def peak_flops(device: torch.device, precision: str) -> float:
    """Return floating-point operations a second of the better of a large matrix product and a large convolution."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    n, images = (8192, 256) if device.type == "cuda" else (1024, 16)
    square = torch.ones(n, n, device=device, dtype=dtype)
    x = torch.ones(images, 128, 32, 32, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    w = torch.ones(128, 128, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    return max(
        2 * n**3 / _seconds(lambda: square @ square, device),
        2 * images * 32 * 32 * 128 * 128 * 9 / _seconds(lambda: conv2d(x, w, padding=1), device),
    )


@torch.no_grad()
def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the least time that one call took within a burst."""
    work()
    _wait(device)
    best, end = float("inf"), time.perf_counter() + _BURST_SECONDS
    while (start := time.perf_counter()) < end:
        work()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
