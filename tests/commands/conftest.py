from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.made_runs import make_run


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A sweep of two values and two seeds, none of which has a checkpoint."""
    for n in (1, 5):
        for s in (0, 1):
            make_run(tmp_path / f"runs/sweep/{n}_{s}", f"latent.size={n}", latent=n, seed=s, value=n + s)
    return tmp_path / "runs/sweep"
