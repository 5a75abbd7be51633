"""The rule for keeping a dataset in a device's memory."""

from __future__ import annotations

from typing import Literal

import torch

from gan_cli.core import hardware

RESIDENT_SHARE = 0.25  # of the memory that is free when the data are opened: the rest is the networks' and the system's


def is_resident(wanted: Literal["auto"] | bool, n_bytes: int, device: torch.device) -> bool:
    """Return whether images are kept on the training device and not memory-mapped on the disk.

    The rule for `auto` uses only sizes and no timing; both results train on the same batches, bit for bit.
    """
    return n_bytes <= RESIDENT_SHARE * free_bytes(device) if wanted == "auto" else wanted


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device; on the CPU at most the limit of the cgroups."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    memory = hardware.memory()
    return min(memory.free, memory.limit)
