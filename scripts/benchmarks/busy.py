"""A process that takes one core for itself, beside a run."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import child, environment
from benchmarks.report import table

GOAL = 0.55
STEPS = 4  # of a turn; the first, in which the other process comes or goes, does not count
SPINNING = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own where OMP_WAIT_POLICY is not set; it overrides the policy
TITLE = "A busy machine"
ABOUT = f"""\
`gan train loss=wgan model=dcgan`, 32 x 32, with its default threads, alone and beside another process that computes
all the time. The two alternate within one run, {STEPS} steps each. Before it loads torch, `gan` sets
`OMP_WAIT_POLICY=PASSIVE`, so that a waiting thread leaves its core to the others, or on processors with AMX
`GOMP_SPINCOUNT=10000`, so that it does so after a short time. The second row has libgomp's own setting instead, in
which waiting threads spin for longer (`GOMP_SPINCOUNT=300000`). The goal is at least {GOAL:.0%} of the speed alone, in
every precision that `runtime.precision=auto` takes."""


def measure(options: Options) -> dict[str, Any]:
    """Run `gan train` as it is, and with spinning threads."""
    rows = []
    for name, more in (("as `gan` sets it", {}), ("threads that spin", SPINNING)):
        seconds = _run(options, more)
        alone, beside = (statistics.median(values) for values in seconds.values())
        rows.append({"name": name, "rounds": seconds, "alone": alone, "beside": beside, "share": alone / beside})
        options.show(f"busy machine, {name}: {alone / beside:.0%} of the undisturbed speed")
    return {"rows": rows}


def _run(options: Options, more: dict[str, str]) -> dict[str, list[float]]:
    words = ["loss=wgan", "model=dcgan", *options.overrides, "train.steps=1000000", "run_dir=run"]
    seconds: dict[str, list[float]] = {"alone": [], "beside": []}
    with tempfile.TemporaryDirectory() as folder, _hog() as hog:
        run = subprocess.Popen(
            child("step_seconds", "train", *words),
            cwd=folder,
            env=environment() | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            run.stdout.readline()  # the first step pays for start-up
            for _ in range(options.rounds):
                for name, how in (("alone", signal.SIGSTOP), ("beside", signal.SIGCONT)):
                    hog.send_signal(how)
                    seconds[name] += [float(run.stdout.readline()) for _ in range(STEPS)][1:]
        finally:
            run.kill()
            run.wait()
    return seconds


@contextmanager
def _hog() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait()


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = [
        [row["name"], f"{row['alone']:.3f}", f"{row['beside']:.3f}", f"**{row['share']:.0%}**"]
        for row in result["rows"]
    ]
    return table(["OpenMP", "a step alone, s", "beside the other process, s", "share of its speed"], rows)
