"""Seconds from the launch of a process to the end of its first step."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.cases import case
from benchmarks.options import Options
from benchmarks.processes import CHILDREN, run
from benchmarks.report import table
from benchmarks.timing import median_ratio, medians

GOAL = 1.2
TITLE = "Start-up"
ABOUT = f"""\
Seconds from the launch of `gan train loss=wgan model=dcgan` to the end of its first step, with its run directory,
log, TensorBoard file and first picture. The bare script imports torch and the classes of these networks, builds them
and takes one step on random numbers. Each runs in a fresh process, in turn, with small networks (`model.width=8`,
`train.batch_size=8`, 32 x 32), so that start-up takes most of the time. The goal is a ratio of at most {GOAL}."""
ALONE = "import os, time, torch; print(time.monotonic(), flush=True); os._exit(0)"
SMALL = ("loss=wgan", "model=dcgan", "model.width=8", "train.batch_size=8")


def measure(options: Options) -> dict[str, Any]:
    """Time fresh processes in turn; the first round, which reads the files from the disk, does not count."""
    chosen = case("wgan", 32, 1, [*SMALL, *options.overrides])
    config, (channels, size, _) = chosen.plan.config, chosen.shape
    sizes = [size, channels, config.model.width, config.train.batch_size]
    runs = {
        "import torch": [sys.executable, "-c", ALONE],
        "bare": [sys.executable, str(CHILDREN / "bare.py"), *map(str, sizes), str(config.runtime.threads)],
        "gan": [sys.executable, str(CHILDREN / "first_step.py"), "train", *SMALL, *options.overrides],
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds + 1):
        for name, command in runs.items():
            seconds[name].append(_until_printed(command))
    seconds = {name: values[1:] for name, values in seconds.items()}
    ratio = median_ratio(seconds["gan"], seconds["bare"])
    options.show(f"start-up: {ratio:.2f} times the bare script")
    return {"rounds": seconds, "seconds": medians(seconds), "ratio": ratio}


def _until_printed(command: Sequence[str]) -> float:
    """Return the seconds from the launch to the clock that the process prints last."""
    began = time.monotonic()
    return float(run(command).split()[-1]) - began


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    seconds = result["seconds"]
    rows = [
        ["`import torch` alone", f"{seconds['import torch']:.2f}", ""],
        ["a bare script", f"{seconds['bare']:.2f}", ""],
        ["`gan train`", f"{seconds['gan']:.2f}", f"**{result['ratio']:.2f}**"],
    ]
    return table(["from launch to the end of the first step", "s", "times the bare script"], rows)
