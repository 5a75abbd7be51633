"""What scripts/gpu_proof.py found on a machine, as a part of benchmarks.md."""

from __future__ import annotations

from typing import Any

from benchmarks.report import table

FAILED = "FAILED"
TITLE = "On a GPU"
ABOUT = """\
`make gpu-proof` runs what only a GPU can show. Its tests, engines and commands compare results; the speed is that of
`gan` with its default engine, DCGAN and WGAN's or the named loss. *Textbook* is the loop of public scripts, with a
DataLoader of two workers and torch's own settings (TF32 in convolutions). *Eager* is the same loop with its images on
the GPU, in the precision of the row (bf16 by autocast). Each measurement takes many steps and waits for the last one.
The floors are the times of a step's matrix products and convolutions at the fastest speed of a large product here, and
of their bytes, each tensor read or written once, at the speed of a large copy here."""


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = [[row["part"], row["state"], f"{row['seconds']:.0f}", _one_line(row["found"])] for row in result["rows"]]
    parts = [table(["part", "outcome", "s", "found"], rows)]
    if result.get("tiny"):
        parts.insert(0, "In small sizes, which show only that everything runs.")
    if remark := result.get("remark"):  # written by hand into benchmarks.json
        parts.append(remark)
    speed = next((row["figures"]["rows"] for row in result["rows"] if row["part"] == "speed" and row["figures"]), [])
    if speed:
        parts.append(table(_HEADS, [_speed(row) for row in speed]))
    return "\n\n".join(parts)


_HEADS = [
    "loss",
    "images",
    "batch",
    "precision",
    "gan, ms",
    "textbook, ms",
    "times as fast",
    "eager, ms",
    "times as fast",
    "flop floor, ms",
    "byte floor, ms",
    "times the larger floor",
]


def _speed(row: dict[str, Any]) -> list[str]:
    floor = max(row["flop_floor"], row["byte_floor"])
    return [
        row["loss"],
        f"{row['size']} x {row['size']} x 1",
        str(row["n"]),
        row["precision"],
        f"{row['seconds'] * 1e3:.2f}",
        f"{row['textbook'] * 1e3:.2f}",
        f"**{row['times_textbook']:.2f}**",
        f"{row['eager'] * 1e3:.2f}",
        f"**{row['times_eager']:.2f}**",
        f"{row['flop_floor'] * 1e3:.2f}",
        f"{row['byte_floor'] * 1e3:.2f}",
        f"{row['seconds'] / floor:.2f}",
    ]


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
