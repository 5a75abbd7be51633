"""A few steps of a loop, and its memory: python loop_memory.py gan|textbook SIZE STEPS OVERRIDES.

Prints JSON: bytes of the peak resident set, of that before the networks are built, and of the workers' own memory.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import multiprocessing

from benchmarks.cases import case, ours, resident
from benchmarks.textbook import LOOPS


def status(name: str) -> int:
    """Return a field of this process's status, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def private(pid: int) -> int:
    """Return the bytes that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


name, size, steps, *overrides = sys.argv[1:]
chosen = case("wgan", int(size), 1, overrides)
before = status("VmRSS")
step = ours(chosen, resident(chosen)) if name == "gan" else LOOPS["wgan"](chosen)
for _ in range(int(steps)):
    step()
workers = sum(private(child.pid) for child in multiprocessing.active_children())
print(json.dumps({"peak": status("VmHWM"), "before": before, "workers": workers}), flush=True)
