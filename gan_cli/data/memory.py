"""How much of a device's memory a dataset may fill."""

from __future__ import annotations

from typing import Literal

import torch

from gan_cli.core import hardware

RESIDENT_SHARE = 0.25  # of the memory that is free when the data are opened: the rest is the networks' and the system's


def is_resident(wanted: Literal["auto"] | bool, n_bytes: int, device: torch.device) -> bool:
    """Return whether images live on the training device rather than memory-mapped on the disk.

    The rule for `auto` reads sizes alone and times nothing; either answer trains on the same batches, bit for bit.
    """
    return n_bytes <= RESIDENT_SHARE * free_bytes(device) if wanted == "auto" else wanted


def free_bytes(device: torch.device) -> int:
    """Return the device's free memory; on the CPU no more than the cgroups' limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    memory = hardware.memory()
    return min(memory.free, memory.limit)
