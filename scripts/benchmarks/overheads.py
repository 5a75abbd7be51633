"""What a run costs beside its steps: rows of its log, pictures, checkpoints."""

from __future__ import annotations

import json
import statistics
from typing import Any

from benchmarks.cases import config_of
from benchmarks.options import Options
from benchmarks.processes import child, run
from benchmarks.report import table

GOALS = {"logging": 0.01, "pictures and checkpoints": 0.03}
LOSSES = ("wgan", "nonsaturating")  # of five critic updates a step, and of one
TITLE = "Overheads"
ABOUT = f"""\
`gan train loss=LOSS model=dcgan` with a row every second step, and a picture and a checkpoint at every step. The time
of each is measured. The shares are computed from these seconds, the seconds of a step and the default intervals: a
row every 25 steps, a picture every 100, a checkpoint every 1,000 steps or 300 seconds, whichever comes first,
written in the foreground. Logging is the row with its measurements of the critic, TensorBoard, and the check of every
step's numbers.
The goals are {GOALS["logging"]:.0%} for logging, {GOALS["pictures and checkpoints"]:.0%} for pictures and
checkpoints together."""


def measure(options: Options) -> dict[str, Any]:
    """Run `gan train` for each loss and size."""
    return {"rows": [_cell(loss, size, options) for loss in LOSSES for size in options.sizes]}


def _cell(loss: str, size: int, options: Options) -> dict[str, Any]:
    chosen = [f"loss={loss}", "model=dcgan", f"dataset.image_size={size}", *options.overrides]
    often = [f"train.steps={2 * options.rounds + 2}", "log.every_steps=2", "log.samples_every_steps=1"]
    words = [*chosen, *often, "checkpoint.every_steps=1", "checkpoint.every_seconds=null", "run_dir=run"]
    found = json.loads(run(child("callback_seconds", "train", *words)).splitlines()[-1])
    first = {name: [s for step, s in found[name] if step > 1] for name in ("step", "pictures", "checkpoints")}
    step, picture, checkpoint = (statistics.median(first[name]) for name in ("step", "pictures", "checkpoints"))
    row, no_row = (
        statistics.median([s for step, s in found["curves"] if step > 1 and step % 2 == odd]) for odd in (0, 1)
    )
    look = statistics.median([s for step, s in found["watch"] if step > 1]) + no_row
    config = config_of(chosen)
    log, saving = config.log, config.checkpoint
    between = min(saving.every_steps * step, saving.every_seconds)
    shares = {
        "logging": ((row - no_row) / log.every_steps + look) / step,
        "pictures": picture / (log.samples_every_steps * step),
        "checkpoints": checkpoint / between,
    }
    options.show(f"overheads of {loss} at {size}: {', '.join(f'{name} {share:.2%}' for name, share in shares.items())}")
    seconds = {"step": step, "row": row - no_row, "look": look, "picture": picture, "checkpoint": checkpoint}
    return {"loss": loss, "size": size, "seconds": seconds, "shares": shares}


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    heads = ["loss", "images", "a step, s", "a row, s", "the check of a step, s", "a picture, s", "a checkpoint, s"]
    rows = []
    for row in result["rows"]:
        seconds, shares = row["seconds"], row["shares"]
        both = shares["pictures"] + shares["checkpoints"]
        rows.append(
            [
                row["loss"],
                f"{row['size']} x {row['size']} x 1",
                *(f"{seconds[name]:.4f}" for name in ("step", "row", "look", "picture", "checkpoint")),
                f"**{shares['logging']:.2%}**",
                f"**{both:.2%}** ({shares['pictures']:.2%} + {shares['checkpoints']:.2%})",
            ]
        )
    return table([*heads, "logging", "pictures and checkpoints"], rows)
