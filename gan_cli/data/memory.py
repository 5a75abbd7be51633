"""How much of a device's memory a dataset may fill."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch

RESIDENT_SHARE = 0.25  # of the memory that is free when the data are opened: the rest is the networks' and the system's

_CGROUP = Path("/sys/fs/cgroup")


def is_resident(wanted: Literal["auto"] | bool, n_bytes: int, device: torch.device) -> bool:
    """Return whether images live on the training device rather than memory-mapped on the disk.

    The rule for `auto` reads sizes alone and times nothing; either answer trains on the same batches, bit for bit.
    """
    return n_bytes <= RESIDENT_SHARE * free_bytes(device) if wanted == "auto" else wanted


def free_bytes(device: torch.device) -> int:
    """Return the device's free memory; on the CPU no more than the cgroup's limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([_available(), *_cgroup_limits()])


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroup_limits() -> Iterator[int]:
    for file in _cgroup_files():
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            yield int(text)


def _cgroup_files() -> Iterator[Path]:
    yield _CGROUP / "memory" / "memory.limit_in_bytes"
    yield _CGROUP / "memory.max"
    try:
        own = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in own:
        if line.startswith("0::/"):
            path = _CGROUP / line[4:]
            for group in (path, *path.parents):
                if group != _CGROUP and group.is_relative_to(_CGROUP):
                    yield group / "memory.max"
