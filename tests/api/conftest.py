from __future__ import annotations

import pytest
from torch import nn

POINTS = (
    *("loss=wgan_gp", "model=toy_mlp", "model.width=4", "dataset=ring", "runtime=cpu", "runtime.threads=1"),
    *("train.batch_size=8", "train.steps=4", "log.every_steps=1", "log.samples_every_steps=4", "log.sample_count=8"),
)
OF_POINTS = [word for word in POINTS if not word.startswith(("model", "dataset"))]


class Points(nn.Module):
    """z (N, 2) -> points (N, D), or points -> scores (N, 1)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(before, 5), nn.Tanh(), nn.Linear(5, after))

    def forward(self, x):
        return self.layers(x)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory."""
    monkeypatch.chdir(tmp_path)
