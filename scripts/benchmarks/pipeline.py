"""Images larger than memory: the time of a step on a memory-mapped file against images in memory."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import child, run
from benchmarks.report import table
from benchmarks.timing import median_ratio, medians

GOAL = 1.05
WIDTHS = (16, 64)
BYTES = 64 * 64 * 3
SPARE_SHARE = 0.6  # of the images' bytes: they do not fit
LEAST_SPARE = 2**28  # bytes, which the networks need
TITLE = "Images larger than memory"
ABOUT = f"""\
WGAN with DCGAN at 64 x 64 x 3 on generated images in a memory-mapped file, which a thread reads four batches ahead,
compared with images in memory (`dataset.resident=true`, a tenth of them), in turn in one process. The process may use
memory for {SPARE_SHARE:.0%} of the images' bytes beside its modules (`RLIMIT_DATA`). Beforehand the file is removed
from the system's cache. The narrow network has a shorter step, so the data matter more. The goal is a step at most {
    GOAL - 1:.0%} longer."""


def measure(options: Options) -> dict[str, Any]:
    """Generate the images and time both, for a narrow network and for that of the config."""
    with tempfile.TemporaryDirectory() as cache:
        return {"images": options.images, "rows": _rows(options, cache)}


def _rows(options: Options, cache: str) -> list[dict[str, Any]]:
    rows = []
    given = [word for word in options.overrides if word.startswith("model.width=")]
    for width in [None] if given else WIDTHS:
        overrides = [*options.overrides, *([] if width is None else [f"model.width={width}"])]
        rounds = options.rounds * (5 if width == WIDTHS[0] else 1)
        spare = max(int(options.images * BYTES * SPARE_SHARE), LEAST_SPARE)
        command = child("mapped", options.images, spare, rounds, options.steps, *overrides)
        found = json.loads(run(command, XDG_CACHE_HOME=cache).splitlines()[-1])
        seconds = found["rounds"]
        ratio = median_ratio(seconds["mapped"], seconds["resident"])
        rows.append({"width": width or int(given[-1].partition("=")[2]), "seconds": medians(seconds), "ratio": ratio})
        rows[-1] |= found
        options.show(f"memory-mapped, width {rows[-1]['width']}: {ratio:.3f} times the step in memory")
    return rows


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    gigabytes = result["images"] * BYTES / 1e9
    rows = [
        [
            f"{result['images']:,} ({gigabytes:.2f} GB)",
            str(row["width"]),
            f"{row['seconds']['mapped']:.3f}",
            f"{row['seconds']['resident']:.3f}",
            f"**{row['ratio']:.3f}**",
            f"{row['memory'] / 1e9:.2f}",
            "refused" if row["refused"] else "taken",
        ]
        for row in result["rows"]
    ]
    heads = ["images", "model.width", "mapped, s a step", "resident, s a step", "ratio", "memory, GB"]
    return table([*heads, "all of them resident"], rows)
