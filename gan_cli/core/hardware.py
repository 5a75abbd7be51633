"""Facts about this machine: cores, memory, and the number formats that it computes in."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

import torch

TORCH_THREADS = torch.get_num_threads()  # before any run of this process sets them
NATIVE_BF16 = {"avx512_bf16", "amx_bf16"}  # flags of x86 processors that compute in bf16 rather than emulate it


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its cgroup's where that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return total if text == "max" else min(total, int(text))


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


def cuda_has_bf16(device: str) -> bool:
    """Return whether a GPU computes in bf16 natively."""
    return torch.cuda.get_device_capability(device) >= (8, 0)
