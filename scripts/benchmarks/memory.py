"""Peak memory of our loop, of the textbook loop, and of a whole run."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import child, run
from benchmarks.report import table

STEPS = 2
TITLE = "Memory"
ABOUT = """\
Peak resident set of WGAN with DCGAN after two steps, each in a fresh process. *Modules* is the memory of the process
before it builds networks; our loop and the textbook loop import the same modules. *Workers* is the memory of the
DataLoader's two processes, without what they share. `gan train` is the whole command, with its log, TensorBoard,
pictures and checkpoint."""


def measure(options: Options) -> dict[str, Any]:
    """Run each loop for each size."""
    rows = []
    for size in options.sizes:
        for name in ("gan", "textbook"):
            found = json.loads(run(child("loop_memory", name, size, STEPS, *options.overrides)).splitlines()[-1])
            rows.append({"size": size, "name": {"gan": "our loop", "textbook": "textbook loop"}[name], **found})
        chosen = ["loss=wgan", "model=dcgan", f"dataset.image_size={size}", *options.overrides]
        words = [*chosen, f"train.steps={STEPS}", "run_dir=run"]
        whole = json.loads(run(child("callback_seconds", "train", *words)).splitlines()[-1])
        rows.append({"size": size, "name": "`gan train`", "peak": whole["memory"], "before": None, "workers": 0})
        options.show(f"memory at {size}: " + ", ".join(f"{row['peak'] / 1e6:.0f} MB" for row in rows[-3:]))
    return {"rows": rows}


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = [
        [
            f"{row['size']} x {row['size']} x 1",
            row["name"],
            f"**{row['peak'] / 1e6:.0f}**",
            f"{row['before'] / 1e6:.0f}" if row["before"] else "",
            f"{row['workers'] / 1e6:.0f}" if row["workers"] else "",
        ]
        for row in result["rows"]
    ]
    return table(["images", "", "peak, MB", "modules, MB", "workers, MB"], rows)
