"""Engines take the same steps, and a resumed run equals an unbroken one, bit for bit; compiled code to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gan_cli import Run
from gan_cli.errors import GanError
from proof.scale import Proof, Scale, passed

CASES = (
    (("loss=wgan",), "fp32"),
    (("loss=wgan", "dataset=stacked"), "bf16"),
    (("loss=wgan_gp",), "fp32"),
    (("loss=wgan_gp",), "tf32"),
    (("loss=wgan_gp",), "bf16"),
    (("loss=hinge", "constraint=spectral_norm", "model=resnet"), "bf16"),
    (("loss=nonsaturating", "train.ema_halflife_images=500"), "bf16"),
    (("loss=r3gan",), "bf16"),
)
COMPILED = (0, 1)  # of them: compiling takes a minute


def prove(scale: Scale, folder: Path) -> Proof:
    """Train every case with every engine, in every precision, and once in two sessions."""
    rows, steps, cuda = [], scale.steps(40), scale.device == "cuda"
    for number, (case, precision) in enumerate(scale.few(CASES, 1)):
        here = folder / str(number)
        given = (*case, f"runtime.precision={precision}", "log.every_steps=1")
        whole = (*given, f"train.steps={steps}")
        eager = scale.train(here / "eager", *whole, "runtime.engine=eager")
        scale.train(here / "again", *given, f"train.steps={steps // 2}")
        resumed = Run(here / "again", device=scale.device).resume([f"train.steps={steps}"], progress=False)
        row: dict[str, Any] = {"case": " ".join(case), "precision": precision, "resumed": same(eager, resumed)}
        if cuda:
            row["graphs"] = same(eager, scale.train(here / "graphs", *whole, "runtime.engine=cuda_graph"))
            if number in COMPILED:
                row["compiled"] = compiled(scale, here / "compiled", given, eager)
        rows.append(row)
    equal = all(row.get("graphs", True) and row["resumed"] for row in rows)
    words = f"{len(rows)} configs of {steps} steps: " + (
        "CUDA graphs, eager and a resumed run are equal bit for bit" if cuda else "eager and a resumed run are equal"
    )
    unequal = [f"{r['precision']} {r['case']}" for r in rows if not (r.get("graphs", True) and r["resumed"])]
    refused = [f"{r['precision']} {r['case']}: {r['compiled']}" for r in rows if isinstance(r.get("compiled"), str)]
    found = "; ".join([words if equal else f"differ: {', '.join(unequal)}", *refused])
    return Proof(passed(equal and not refused), found, {"rows": rows})


def same(one: Run, other: Run) -> bool:
    """Return whether two runs have the same curves and the same weights."""
    curves, others = one.metrics, other.metrics
    tags = [tag for tag in curves if not tag.startswith("time/")]
    equal = all(np.array_equal(curves[tag], others[tag], equal_nan=True) for tag in tags)
    weights, theirs = one.generator.state_dict(), other.generator.state_dict()
    return equal and all(weights[key].equal(theirs[key]) for key in weights)


def compiled(scale: Scale, folder: Path, given: tuple[str, ...], eager: Run) -> float | str:
    """Return the largest difference of the estimate that compiled code makes in five steps; or why it was refused."""
    try:
        run = scale.train(folder, *given, "runtime.engine=compile", "train.steps=5")
    except GanError as error:
        return str(error)
    tag = "critic/loss"
    return float(np.abs(run.metrics[tag] - eager.metrics[tag][: len(run.metrics[tag])]).max())
