"""A thousand steps take no more memory than a hundred."""

from __future__ import annotations

from pathlib import Path

import torch
from benchmarks.cases import case, ours, resident

from proof.scale import Proof, Scale, passed

GROWTH = 64e6  # bytes of the process that allocators may keep
EARLY = 100


def prove(scale: Scale, folder: Path) -> Proof:
    """Measure the GPU's and the process's memory after 100 and after 1,000 steps of two losses."""
    figures = {}
    for loss in scale.few(("wgan", "wgan_gp"), 1):
        chosen = case(loss, 16 if scale.tiny else 32, 1, scale.overrides)
        step = ours(chosen, resident(chosen))
        for _ in range(scale.steps(EARLY)):
            step()
        early = _memory()
        for _ in range(scale.steps(9 * EARLY)):
            step()
        figures[loss] = {"early": early, "late": _memory()}
    flat = all(
        f["late"]["gpu"] == f["early"]["gpu"] and f["late"]["process"] - f["early"]["process"] < GROWTH
        for f in figures.values()
    )
    found = "; ".join(
        f"{loss}: {f['early']['gpu'] / 1e6:.1f} -> {f['late']['gpu'] / 1e6:.1f} MB of the GPU, "
        f"{f['early']['process'] / 1e6:.0f} -> {f['late']['process'] / 1e6:.0f} MB of the process"
        for loss, f in figures.items()
    )
    return Proof(passed(flat), found, figures)


def _memory() -> dict[str, int]:
    """Return bytes that tensors hold on the GPU, and of the process's resident set."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
    gpu = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
    return {"gpu": gpu, "process": int(line.split()[1]) * 1024}
