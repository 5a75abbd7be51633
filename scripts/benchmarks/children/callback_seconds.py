"""`gan ARGUMENTS`, which prints at its end what its steps and callbacks took: python callback_seconds.py ARGUMENTS.

One line of JSON: for "step" and each callback, a list of [step, seconds]; and "memory", the process's peak in bytes.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hook import Fit, gan, waited

NAMES = ("watch", "curves", "pictures", "checkpoints", "stop")  # in the order of a session
seconds: dict[str, Any] = {}


def clocked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that keeps its seconds."""

    def with_clock(state: Any, *rest: Any) -> Any:
        began = time.perf_counter()
        result = call(state, *rest)
        waited(state)
        seconds.setdefault(name, []).append([state.step, time.perf_counter() - began])
        return result

    return with_clock


def recorded(fit: Fit) -> Fit:
    """Return a loop with clocks around everything that it calls."""

    def loop(state: Any, run: Any, callbacks: Any) -> None:
        named = [clocked(name, callback) for name, callback in zip(NAMES, callbacks, strict=True)]
        fit(state, clocked("step", run), named)

    return loop


code = gan(recorded)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(json.dumps(seconds | {"memory": int(peak.split()[1]) * 1024}), flush=True)
sys.exit(code)
