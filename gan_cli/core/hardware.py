"""Facts about this machine: cores, memory, and the number formats that it computes in."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import NamedTuple

import torch

from gan_cli.core.processor import bf16_unit

TORCH_THREADS = torch.get_num_threads()  # before any run of this process sets them
_CGROUPS = Path("/sys/fs/cgroup")


class Memory(NamedTuple):
    """The main memory, in bytes.

    Attributes:
        total: of the machine.
        free: of the machine, as Linux estimates it; `total` on another system.
        limit: the least that this process's cgroups allow it; `total` where they allow more.
    """

    total: int
    free: int
    limit: int


def memory() -> Memory:
    """Return the main memory of this machine and what this process may use of it."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = re.search(r"^MemAvailable: *(\d+) kB$", _text(Path("/proc/meminfo")), re.MULTILINE)
    own = re.search(r"^0::/(.*)$", _text(Path("/proc/self/cgroup")), re.MULTILINE)
    group = _CGROUPS / own[1] if own else _CGROUPS
    files = [_CGROUPS / "memory/memory.limit_in_bytes", *(parent / "memory.max" for parent in (group, *group.parents))]
    limits = [int(text) for file in files if (text := _text(file).strip()).isdigit()]
    return Memory(total, int(free[1]) * 1024 if free else total, min([total, *limits]))


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its cgroups' where that is less."""
    return memory().limit


def available_threads(sharing: int = 1) -> int:
    """Return the physical cores that this process may use: torch's count, the affinity and the cgroup's quota.

    Args:
        sharing: processes of one run that share them; torchrun limits torch to one thread each.
    """
    counts = [TORCH_THREADS if sharing == 1 else physical_cores(), os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    limit, _, period = _text(_CGROUPS / "cpu.max").partition(" ")
    if limit.isdigit():
        counts.append(math.ceil(int(limit) / int(period)))
    return max(1, min(counts) // sharing)


def physical_cores() -> int:
    """Return the machine's cores; hardware threads of one core count once where the system lists them."""
    found = {path.read_text() for path in Path("/sys/devices/system/cpu").glob("cpu*/topology/core_cpus_list")}
    return len(found) or os.cpu_count() or 1


def cpu_has_bf16() -> bool:
    """Return whether the processor computes in bf16 natively."""
    return bf16_unit() is not None


def cuda_has_bf16(device: str) -> bool:
    """Return whether a GPU computes in bf16 natively."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _text(file: Path) -> str:
    """Return what a file of the system says; '' where there is none."""
    try:
        return file.read_text()
    except OSError:
        return ""
