"""`gan ARGUMENTS`, which prints the clock when the first step is done, and ends: python first_step.py ARGUMENTS."""

import os
import sys
import time
from typing import Any

from hook import Fit, gan, waited


def one_step(fit: Fit) -> Fit:
    """Return a loop that ends the process after its first step."""

    def loop(state: Any, run: Any, callbacks: Any) -> None:
        def step(state: Any) -> None:
            run(state)
            waited(state)
            print(time.monotonic(), flush=True)
            os._exit(0)

        fit(state, step, callbacks)

    return loop


sys.exit(gan(one_step))
