"""A run that the GPU trained is resumed, sampled and exported on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from gan_cli import Run
from proof.scale import Proof, Scale, passed

CLOSE = 0.02  # of samples in [-1, 1]: float32 on two devices, through batch norms


def prove(scale: Scale, folder: Path) -> Proof:
    """Train on the device; compare its samples with the CPU's from the same noise; continue on the CPU."""
    steps = scale.steps(100)
    run = scale.train(folder / "run", "loss=wgan_gp", f"train.steps={steps}", "runtime.precision=fp32")
    torch.manual_seed(0)
    z = torch.randn(64, run.config.latent.size or 100)
    samples = {
        device: Run(run.path, device=device).generator(z.to(device)).detach().cpu() for device in (scale.device, "cpu")
    }
    difference = (samples[scale.device] - samples["cpu"]).abs().max().item()
    longer = [f"train.steps={steps + 2}", "runtime.device=cpu"]
    resumed = Run(run.path, device="cpu").resume(longer, progress=False)
    done = resumed.step == steps + 2 and resumed.state == "finished"
    exported = Run(run.path, device="cpu").export("safetensors", folder / "export")
    loaded = torch.equal(Run(exported.path, device="cpu").generator(z), resumed.generator(z))
    found = (
        f"samples differ by at most {difference:.1e} between {scale.device} and cpu; "
        f"resumed on the CPU to step {resumed.step}; its export {'draws' if loaded else 'does not draw'} the same"
    )
    return Proof(passed(difference < CLOSE and done and loaded), found, {"difference": difference})
