"""What the processor computes in, and how OpenMP's threads wait on it; nothing here imports torch."""

from __future__ import annotations

import os
import platform

_BF16_UNITS = ("amx_bf16", "avx512_bf16")  # flags of x86 processors that compute in bf16 rather than emulate it
_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
_SPIN_BRIEFLY = {
    "GOMP_SPINCOUNT": "10000",  # libgomp, of torch's wheels; by itself 300,000
    "KMP_BLOCKTIME": "1",  # Intel's and LLVM's OpenMP, of conda's torch; in ms, by itself 200
}


def bf16_unit() -> str | None:
    """Return the flag of the fastest unit of the processor that computes in bf16 natively; None: there is none."""
    if platform.machine() != "x86_64":
        return None
    try:
        with open("/proc/cpuinfo") as file:  # only its first processor: a large machine lists hundreds
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:  # not Linux
        return None
    return next((flag for flag in _BF16_UNITS if flag in flags), None)


def choose_waiting() -> None:
    """Choose whether OpenMP's waiting threads spin or sleep, unless the user's variables do.

    Spinning threads take the cores from other processes, and from each other where another process has one, so that
    they sleep at once. With AMX a step's operations are so short that waking up takes a quarter of its time: there they
    spin for up to half a millisecond. Both are measured in docs/benchmarks.md. It has an effect before torch is loaded,
    and on the processes that this one starts.
    """
    if os.environ.keys().isdisjoint(_SLEEP | _SPIN_BRIEFLY):
        os.environ.update(_SPIN_BRIEFLY if bf16_unit() == "amx_bf16" else _SLEEP)
