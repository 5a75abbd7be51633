"""The machine at hand: what `auto` means on it."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan_cli.core.processes import Processes, processes
from gan_cli.errors import GanError, UserError

TORCH_THREADS = torch.get_num_threads()  # before any run of this process sets them
NATIVE_BF16 = {"avx512_bf16", "amx_bf16"}  # flags of x86 processors that compute in bf16 rather than emulate it


def resolve(runtime: dict[str, Any]) -> dict[str, Any]:
    """Return the runtime settings with every `auto` but the engine's replaced, by rule and never by timing.

    Raises:
        UserError: CUDA or a precision that this machine does not have.
    """
    here = processes()
    device = runtime["device"]
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _require(device, here)
    cuda = device.startswith("cuda")
    precision = runtime["precision"]
    if precision == "auto":
        precision = "bf16" if (_cuda_has_bf16(device) if cuda else cpu_has_bf16()) else "fp32"
    if precision == "tf32" and not cuda:
        raise UserError("runtime.precision=tf32: a mode of NVIDIA GPUs, this run is on the CPU: runtime.precision=fp32")
    threads = available_threads(here.local_size) if runtime["threads"] == "auto" else runtime["threads"]
    return {**runtime, "device": device, "precision": precision, "threads": threads}


def apply(runtime: dict[str, Any]) -> None:
    """Set torch's threads and matrix precision as resolved settings say."""
    torch.set_num_threads(runtime["threads"])
    torch.backends.cudnn.deterministic = True  # a resumed run must equal an unbroken one
    torch.backends.cudnn.benchmark = False
    tf32 = runtime["precision"] == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its cgroup's where that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return total if text == "max" else min(total, int(text))


def require_memory(networks: nn.Module, settings: dict[str, Any]) -> None:
    """Refuse networks that, with their gradients, are larger than the memory, before any of it is taken.

    Args:
        networks: on the meta device.
        settings: resolved; the error names what mends it.

    Raises:
        UserError: they are.
    """
    device = settings["runtime"]["device"]
    cuda = device.startswith("cuda")
    room = torch.cuda.get_device_properties(device).total_memory if cuda else memory_bytes()
    needed = 2 * sum(t.numel() * t.element_size() for t in networks.parameters())
    if needed > room:
        width = settings["model"]["width"]
        raise UserError(
            f"the networks and their gradients are {needed / 1e9:,.0f} GB, {device} has {room / 1e9:,.0f} GB: "
            f"a smaller model.width (now {width}) or dataset.image_size"
        )


def available_threads(sharing: int = 1) -> int:
    """Return the physical cores that this process may use: torch's count, the affinity and the cgroup's quota.

    Args:
        sharing: processes of one run that share them; torchrun has told torch of one thread each, whatever there is.
    """
    counts = [TORCH_THREADS if sharing == 1 else physical_cores(), os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, period = quota.read_text().split()
        if limit != "max":
            counts.append(math.ceil(int(limit) / int(period)))
    return max(1, min(counts) // sharing)


def physical_cores() -> int:
    """Return the machine's cores; hardware threads of one count once where the system tells them apart."""
    found = {path.read_text() for path in Path("/sys/devices/system/cpu").glob("cpu*/topology/core_cpus_list")}
    return len(found) or os.cpu_count() or 1


def cpu_has_bf16() -> bool:
    """Return whether the processor computes in bf16 natively."""
    info = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and info.is_file() and bool(NATIVE_BF16 & set(info.read_text().split()))


def out_of_memory(error: Exception, settings: dict[str, Any]) -> GanError | None:
    """Return a failed allocation as an error that names the mend; None for any other error."""
    first_line = str(error).partition("\n")[0]
    if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in first_line:
        return None
    batch_size, width = settings["train"]["batch_size"], settings["model"]["width"]
    return GanError(f"out of memory at train.batch_size={batch_size}, model.width={width}: halve either ({first_line})")


def _cuda_has_bf16(device: str) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _require(device: str, here: Processes) -> None:
    if not device.startswith("cuda"):
        return
    if not torch.cuda.is_available():
        raise UserError(f"runtime.device={device}: no CUDA GPU is usable here; cpu (or auto) runs without one")
    if here.size > 1 and device != "cuda":
        raise UserError(f"runtime.device={device}: torchrun's processes take a GPU each: runtime.device=cuda")
    index = torch.device(device).index or here.local_rank
    if index >= torch.cuda.device_count():
        raise UserError(f"runtime.device={device}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0")
