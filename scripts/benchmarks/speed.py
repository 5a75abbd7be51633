"""Seconds a step: our run against the textbook loop of its loss, in turn, each in a process of its own."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import Steps
from benchmarks.report import table
from benchmarks.timing import in_turn, median_ratio, medians

TITLE = "Speed of a step"
ABOUT = """\
`gan train loss=LOSS model=dcgan` with its default engine, precision, data pipeline and threads, compared with the loop
that public scripts for this loss write (*textbook*). This loop has a DataLoader with two workers that resizes each
picture when it reads it, eager float32, a clamp for each parameter (wgan), the penalty by `torch.autograd.grad`
(wgan_gp), `BCEWithLogitsLoss` and one batch of fakes for both updates (nonsaturating; ours draws two), and one
`.item()` in each step. Both train the same networks, the textbook loop with torch's own layers, on the shipped
Fashion-MNIST; for 3 channels its grey pictures are repeated three times. *In memory* is the same textbook loop with
its float32 images in memory and no DataLoader, which no public script does. Each loop runs in its own process: ours
with the environment variables that `gan` sets before it loads torch, the textbook loops without any setting. The
measurements alternate, A B A B, and a loop waits while another is measured. Seconds are medians; ratios are medians of
the ratios of neighbouring measurements. In the rows of torch 2.15.0 the loops shared a process and
`OMP_WAIT_POLICY=PASSIVE`."""


def measure(options: Options) -> dict[str, Any]:
    """Time every loss, size and number of channels."""
    rows = []
    for loss in options.losses:
        for size in options.sizes:
            for channels in options.channels:
                rows.append(_cell(loss, size, channels, options))
                options.show(f"{loss} {size} x {size} x {channels}: {rows[-1]['ratio']:.2f} times the textbook loop")
    return {"rows": rows}


def _cell(loss: str, size: int, channels: int, options: Options) -> dict[str, Any]:
    names = {"gan": "gan", "textbook": "textbook"} | ({"in memory": "memory"} if loss == "wgan" else {})
    with ExitStack() as stack:
        loops = {
            name: stack.enter_context(Steps("loop", word, loss, size, channels, *options.overrides))
            for name, word in names.items()
        }
        seconds = in_turn(loops, options.rounds, options.steps, warm=False)
        runtime = json.loads(loops["gan"].line)
    return {
        "loss": loss,
        "size": size,
        "channels": channels,
        "seconds": medians(seconds),
        "rounds": seconds,
        "ratio": median_ratio(seconds["textbook"], seconds["gan"]),
        "ratio_in_memory": median_ratio(seconds["in memory"], seconds["gan"]) if "in memory" in seconds else None,
        "runtime": runtime,
    }


def cell(row: dict[str, Any]) -> list[Any]:
    """Return what distinguishes a row from the others."""
    return [row["loss"], row["size"], row["channels"]]


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    heads = [
        "loss",
        "images",
        "gan, s",
        "textbook, s",
        "times as fast",
        "in memory, s",
        "times as fast",
        "gan's runtime",
    ]
    rows = []
    for row in result["rows"]:
        seconds, there = row["seconds"], row["ratio_in_memory"]
        runtime = "{device}, {precision}, {engine}, {threads} threads".format(**row["runtime"])
        rows.append(
            [
                row["loss"],
                f"{row['size']} x {row['size']} x {row['channels']}",
                f"{seconds['gan']:.3f}",
                f"{seconds['textbook']:.3f}",
                f"**{row['ratio']:.2f}**",
                f"{seconds['in memory']:.3f}" if there else "",
                f"{there:.2f}" if there else "",
                runtime,
            ]
        )
    return table(heads, rows)
