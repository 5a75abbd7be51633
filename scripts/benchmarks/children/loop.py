"""A loop that takes a step for each line of its input: python loop.py gan|textbook|memory LOSS SIZE CHANNELS OVERRIDES.

Our loop, in the environment that `gan` sets; the textbook loop with its DataLoader; and the same with its images in
memory. After a first step, and after every other one, it prints the runtime as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

name, loss, size, channels, *overrides = sys.argv[1:]
if name == "gan":
    from gan_cli.core.processor import choose_waiting

    choose_waiting()  # before torch is loaded

from benchmarks.cases import case, ours, resident  # noqa: E402
from benchmarks.textbook import LOOPS  # noqa: E402

chosen = case(loss, int(size), int(channels), overrides)
step = ours(chosen, resident(chosen)) if name == "gan" else LOOPS[loss](chosen, loader=name == "textbook")
runtime = chosen.plan.config.runtime
done = json.dumps({key: getattr(runtime, key) for key in ("device", "precision", "engine", "threads")})
step()
print(done, flush=True)
for _ in sys.stdin:
    step()
    print(done, flush=True)
