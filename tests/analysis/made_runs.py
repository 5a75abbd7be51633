"""Run directories as training leaves them, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

NORMALISED, ESTIMATE = "critic/wasserstein_normalised", "critic/wasserstein_estimate"


def make_run(
    path: Path,
    *command: str,
    seed: int = 0,
    c: float = 0.01,
    n_critic: int = 5,
    latent: int = 8,
    steps: int = 30,
    total: int = 30,
    state: str = "finished",
    value: float = 1.0,
    **more: Any,
) -> Path:
    """Write a run whose estimate is `value` at its last step and falls to it by 1 a row."""
    path.mkdir(parents=True)
    config = {
        "seed": seed,
        "train": {"steps": total, "batch_size": 8},
        "loss": {"_target_": "gan_cli.losses.wasserstein.Wasserstein"},
        "constraint": {"_target_": "gan_cli.constraints.weight_clip.WeightClip", "c": c},
        "updates": {"_target_": "gan_cli.updates.alternating.Alternating", "n_critic": n_critic},
        "model": {"width": 8, "critic": {"_target_": "gan_cli.models.mlp.Trunk"}},
        "latent": {"_target_": "gan_cli.latents.prior.Normal", "size": latent},
        "runtime": {"threads": 1},
        "run_dir": str(path),
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    status = {
        "status": state,
        "step": steps,
        "updated": "2026-01-01T00:00:00+00:00",
        "sessions": [{"command": ["gan", *command]}],
        "choices": {"loss": "wgan", "model": "mlp", "constraint": "weight_clip"},
        **more,
    }
    (path / "run.json").write_text(json.dumps(status))
    rows = []
    for step in range(10, steps + 1, 10):
        estimate = value + (steps - step) / 10
        rows.append({"step": step, ESTIMATE: estimate, NORMALISED: estimate / (100 * c), "quality/modes": step / 10})
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
