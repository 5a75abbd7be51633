"""The arithmetic of a step against what the machine can do."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import case, ours, resident
from benchmarks.options import Options
from benchmarks.report import table
from benchmarks.timing import in_turn, medians
from gan_cli.training.profile import Operations, peak_flops

TITLE = "The arithmetic's floor"
ABOUT = """\
The floor is the shortest time that the arithmetic of a step can take. It is the number of floating-point operations
(torch counts those of matrix products and convolutions) divided by the peak speed. The peak is the speed of a large
matrix product or a large convolution, whichever is faster, measured on this machine in the run's precision. The
share is the floor divided by the time of a step."""


def measure(options: Options) -> dict[str, Any]:
    """Count and time a step of the first loss at every size."""
    rows = []
    for loss in options.losses[:1]:
        for size in options.sizes:
            rows.append(_cell(loss, size, options))
            options.show(f"floor of {loss} at {size}: {rows[-1]['share']:.0%} of the peak")
    return {"rows": rows}


def _cell(loss: str, size: int, options: Options) -> dict[str, Any]:
    chosen = case(loss, size, 1, options.overrides)
    source = resident(chosen)
    counted = case(loss, size, 1, [*options.overrides, "runtime.engine=eager"])
    with Operations() as operations:
        ours(counted, source)()
    runtime, device = chosen.plan.config.runtime, chosen.plan.device
    peak = peak_flops(device, runtime.precision)
    seconds = medians(in_turn({"gan": ours(chosen, source)}, options.rounds, options.steps))["gan"]
    flops = operations.flops
    return {
        "loss": loss,
        "size": size,
        "flops": flops,
        "peak": peak,
        "seconds": seconds,
        "share": flops / peak / seconds,
        "precision": runtime.precision,
    }


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = [
        [
            row["loss"],
            f"{row['size']} x {row['size']} x 1",
            f"{row['flops'] / 1e9:.1f}",
            f"{row['peak'] / 1e9:.0f} ({row['precision']})",
            f"{row['flops'] / row['peak']:.3f}",
            f"{row['seconds']:.3f}",
            f"**{row['share']:.0%}**",
        ]
        for row in result["rows"]
    ]
    return table(["loss", "images", "GFLOP a step", "peak, GFLOP/s", "floor, s", "a step, s", "share"], rows)
