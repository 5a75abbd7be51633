"""Seconds a step: our run against the textbook loop of its loss, in turn in one process."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import case, ours, resident
from benchmarks.options import Options
from benchmarks.report import table
from benchmarks.textbook import LOOPS
from benchmarks.timing import in_turn, median_ratio, medians

TITLE = "Speed of a step"
ABOUT = """\
`gan train loss=LOSS model=dcgan` with its default engine, precision, data pipeline and threads, compared with the loop
that public scripts for this loss write (*textbook*). This loop has a DataLoader with two workers that resizes each
picture when it reads it, eager float32, a clamp for each parameter (wgan), the penalty by `torch.autograd.grad`
(wgan_gp), `BCEWithLogitsLoss` and one batch of fakes for both updates (nonsaturating; ours draws two), and one
`.item()` in each step. Both train the same networks, the textbook loop with torch's own layers, on the shipped
Fashion-MNIST; for 3 channels its grey pictures are repeated three times. *In memory* is the same textbook loop with
its float32 images in memory and no DataLoader, which no public script does. Both loops run under
`OMP_WAIT_POLICY=PASSIVE`, which `gan` sets and public scripts do not. The measurements alternate, A B A B. Seconds
are medians; ratios are medians of the ratios of neighbouring measurements."""


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
    chosen = case(loss, size, channels, options.overrides)
    loops = {"gan": ours(chosen, resident(chosen)), "textbook": LOOPS[loss](chosen)}
    if loss == "wgan":
        loops["in memory"] = LOOPS[loss](chosen, loader=False)
    seconds = in_turn(loops, options.rounds, options.steps)
    runtime = chosen.plan.config.runtime
    return {
        "loss": loss,
        "size": size,
        "channels": channels,
        "seconds": medians(seconds),
        "rounds": seconds,
        "ratio": median_ratio(seconds["textbook"], seconds["gan"]),
        "ratio_in_memory": median_ratio(seconds["in memory"], seconds["gan"]) if "in memory" in seconds else None,
        "runtime": {key: getattr(runtime, key) for key in ("device", "precision", "engine", "threads")},
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
