"""The least time that a step's arithmetic and its memory traffic can take."""

from __future__ import annotations

from functools import cache

import torch
from benchmarks.cases import Case, ours, resident
from benchmarks.timing import timed

from gan_cli.training.profile import Operations, peak_flops


def floors(eager: Case) -> dict[str, float]:
    """Count a step; return its flops and bytes, and the seconds that each takes at this machine's best.

    Args:
        eager: with runtime.engine=eager, whose operations can be counted.
    """
    step = ours(eager, resident(eager))
    step()
    with Operations() as counted:
        step()
    device, precision = eager.plan.device, eager.plan.config.runtime.precision
    return {
        "flops": counted.flops,
        "bytes": counted.bytes,
        "flop_floor": counted.flops / _peak(str(device), precision),
        "byte_floor": counted.bytes / bandwidth(str(device)),
    }


@cache
def _peak(device: str, precision: str) -> float:
    return peak_flops(torch.device(device), precision)


@cache
def bandwidth(device: str) -> float:
    """Return bytes a second, read and written, of the best of several copies of a large tensor."""
    cuda = device.startswith("cuda")
    source = torch.ones(2**28 if cuda else 2**22, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        if cuda:
            torch.cuda.synchronize()

    copy()
    return 2 * source.numel() * source.element_size() / min(timed(copy) for _ in range(10))
