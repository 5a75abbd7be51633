"""What is done with a trained run, on the GPU."""

from __future__ import annotations

from pathlib import Path

from proof.scale import Proof, Scale, gan, passed

EXPLORED = ("walk", "neighbours", "truncation", "features")


def prove(scale: Scale, folder: Path) -> Proof:
    """Run every command on one run; each must end with 0."""
    run, steps = folder / "run", scale.steps(100)
    scale.train(run, "loss=nonsaturating", "train.ema_halflife_images=500", f"train.steps={steps}")
    count = 40 if scale.tiny else 1000
    commands = [
        ("evaluate", str(run), f"count={count}", f"device={scale.device}"),
        ("sample", str(run), f"device={scale.device}"),
        ("collapse", str(run), "batches=20", f"device={scale.device}"),
        ("export", str(run), "format=torch_export", f"device={scale.device}"),
        ("report", str(run), "--device", scale.device),
        *(("explore", str(run), f"kind={kind}", f"device={scale.device}") for kind in EXPLORED),
        ("doctor", str(run)),
    ]
    failed = {}
    for words in scale.few(commands, 2):
        code, last = gan(*words)
        if code:
            failed[" ".join(words[:1] + words[2:])] = f"exit code {code}: {last}"
    found = f"{len(scale.few(commands, 2))} commands, {len(failed)} failed"
    return Proof(passed(not failed), "; ".join([found, *map(": ".join, failed.items())]), {"failed": failed})
