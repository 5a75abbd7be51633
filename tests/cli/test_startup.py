"""Help, lists, completion and errors answer without torch, in about the time of importing hydra."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

CASES = [
    ["--help"],
    ["--version"],
    ["list"],
    ["list", "loss"],
    ["train", "--help"],
    ["train", "--cfg", "job"],
    ["-sc", "query=bash"],
    ["-sc", "install=bash"],
    ["tran"],
    ["train", "loss=wgann"],
    ["train", "train.stpes=3"],
    ["train", "optimizer.lr=fast"],
    ["train", "updates.n_critic=0"],
    ["train", "train.steps=="],
    ["train", "-m", "train.steps=1,0"],
    ["resume"],
    ["sample", "x", "count=0"],
    ["board", "nowhere"],
    ["doctor", "--help"],
    ["doctor", "nowhere"],
    ["train", "resume=auto"],
    ["resume", "x", "optimizer.lr=1"],
]
RUN = (
    "import sys; from gan_cli.cli import main; code = main(sys.argv[1:]); "
    "sys.exit(99 if 'torch' in sys.modules or 'numpy' in sys.modules else code)"
)
ALLOWED = 8  # times the import of hydra, on a machine that is busy


def seconds(*command: str) -> tuple[float, int]:
    env = {**os.environ, "COMP_LINE": "gan train loss=w", "COMP_POINT": "16"}
    start = time.perf_counter()
    code = subprocess.run(command, capture_output=True, env=env, timeout=120).returncode
    return time.perf_counter() - start, code


@pytest.fixture(scope="module")
def importing_hydra() -> float:
    return min(seconds(sys.executable, "-c", "import hydra")[0] for _ in range(3))


@pytest.mark.parametrize("argv", CASES, ids=" ".join)
def test_torch_is_not_imported_and_the_answer_is_quick(argv, importing_hydra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best = float("inf")
    for _ in range(3):
        took, code = seconds(sys.executable, "-c", RUN, *argv)
        assert code in (0, 2), "99: torch or numpy was imported"
        best = min(best, took)
        if best < 3 * importing_hydra:
            break
    print(f"gan {' '.join(argv)}: {best:.2f} s, {best / importing_hydra:.1f} times the import of hydra")
    assert best < ALLOWED * importing_hydra
    assert list(tmp_path.iterdir()) == []
