"""Train the same runs in fp32 and in bf16, score them, and print a table of the differences.

python scripts/precision_table.py --seeds 0,1,2 --losses wgan,hinge runtime=cuda train.steps=3000
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gan_cli

LOSSES = {
    "wgan": ("loss=wgan",),
    "wgan_gp": ("loss=wgan_gp",),
    "nonsaturating": ("loss=nonsaturating",),
    "hinge": ("loss=hinge", "constraint=spectral_norm"),
    "r3gan": ("loss=r3gan",),
}
PRECISIONS = ("fp32", "bf16")
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57}  # Student's t: half of a 95 % interval in standard errors
SCORES = {  # and the digits that are shown
    "frechet_distance_fashion_mnist": 3,
    "precision_fashion_mnist": 3,
    "recall_fashion_mnist": 3,
    "critic_estimate": 4,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of gan train")
    parser.add_argument("--losses", default=",".join(LOSSES), help="of: %(default)s")
    parser.add_argument("--seeds", default="0,1,2", help="(default: %(default)s)")
    parser.add_argument("--count", type=int, default=2000, help="samples for the scores (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="pairs of runs at once (default: %(default)s)")
    parser.add_argument("--runs", type=Path, help="keep the runs in this folder")
    parser.add_argument("--json", type=Path, default=Path("precision.json"), help="written after each pair of runs")
    given = parser.parse_intermixed_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.runs or Path(temporary)
        pairs = [(loss, int(seed)) for seed in given.seeds.split(",") for loss in given.losses.split(",")]
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(_pair, folder, *pair, given.overrides, given.count) for pair in pairs]
            for job in as_completed(jobs):
                rows += job.result()
                given.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


def _pair(folder: Path, loss: str, seed: int, overrides: list[str], count: int) -> list[dict[str, Any]]:
    """Train one run in each precision; return their scores."""
    rows = []
    for precision in PRECISIONS:
        rows.append(_run(folder, loss, seed, precision, overrides, count))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _run(folder: Path, loss: str, seed: int, precision: str, overrides: list[str], count: int) -> dict[str, Any]:
    words = [*LOSSES[loss], f"seed={seed}", f"runtime.precision={precision}", *overrides]
    run = gan_cli.train([*words, f"run_dir={folder / f'{loss}_{precision}_{seed}'}"], progress=False)
    scores = run.evaluate(count=count).scores
    found = {name: scores[name].value for name in SCORES if name in scores}
    return {"loss": loss, "seed": seed, "precision": precision, "steps": run.step, **found}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means of each precision, and bf16 minus fp32 with a 95 % interval over the seeds, as Markdown."""
    lines = ["| loss | score | fp32 | bf16 | bf16 minus fp32 | seeds |", "| --- | --- | --- | --- | --- | --- |"]
    for loss in sorted({row["loss"] for row in rows}, key=list(LOSSES).index):
        for score, digits in SCORES.items():
            of = {(row["precision"], row["seed"]): row[score] for row in rows if row["loss"] == loss and score in row}
            if not of:
                continue
            seeds = sorted(seed for precision, seed in of if precision == "bf16")
            pairs = [(of["fp32", seed], of["bf16", seed]) for seed in seeds]
            differences = [b - a for a, b in pairs]
            mean, other = (statistics.mean(values) for values in zip(*pairs, strict=True))
            change = f"{statistics.mean(differences):+.{digits}f}"
            if len(seeds) > 1:
                half = T_95[len(seeds)] * statistics.stdev(differences) / len(seeds) ** 0.5
                change += f" +- {half:.{digits}f}"
            name = score.removesuffix("_fashion_mnist")
            values = f"{mean:.{digits}f} | {other:.{digits}f} | {change}"
            lines.append(f"| {loss} | {name} | {values} | {len(seeds)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
