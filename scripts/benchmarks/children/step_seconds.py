"""`gan ARGUMENTS`, which prints how many seconds each step took as it is done: python step_seconds.py ARGUMENTS."""

import sys
import time
from typing import Any

from hook import Fit, gan, waited


def reporting(fit: Fit) -> Fit:
    """Return a loop that prints a line a step."""

    def loop(state: Any, run: Any, callbacks: Any) -> None:
        def step(state: Any) -> Any:
            began = time.perf_counter()
            logs = run(state)
            waited(state)
            print(time.perf_counter() - began, flush=True)
            return logs

        fit(state, step, callbacks)

    return loop


sys.exit(gan(reporting))
