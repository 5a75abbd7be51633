"""One run on two GPUs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from gan_cli import Run
from proof.scale import Proof, Scale, passed


def prove(scale: Scale, folder: Path) -> Proof:
    """Train with two processes and resume with one."""
    if scale.device == "cuda" and torch.cuda.device_count() < 2:
        return Proof("not run", "this machine has one GPU", {})
    backend = "NCCL" if scale.device == "cuda" else "gloo, on the CPU"
    run, steps = folder / "run", scale.steps(100)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "gan_cli"]
    words = ["train", *scale.overrides, f"train.steps={steps}", f"run_dir={run}"]
    ran = subprocess.run([*command, *words], capture_output=True, text=True)
    if ran.returncode:
        return Proof(passed(False), ran.stderr[-500:], {})
    resumed = Run(run, device=scale.device).resume([f"train.steps={steps + 2}"], progress=False)
    return Proof(
        passed(resumed.step == steps + 2), f"two processes ({backend}) took {steps} steps; one resumed the run", {}
    )
