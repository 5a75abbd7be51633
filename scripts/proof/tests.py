"""The tests that need a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from proof.scale import Proof, Scale, passed

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 8


def prove(scale: Scale, folder: Path) -> Proof:
    """Run `pytest -m cuda`."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", "--no-header", "-rfE"]
    if scale.device == "cpu":
        return Proof("not run", "the tests marked cuda need a GPU", {})
    command += ["-n", str(min(WORKERS, os.cpu_count() or 1)), f"--basetemp={folder / 'pytest'}"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = ran.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    last = lines[-1] if lines else ran.stderr[-500:]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    found = "; ".join([last.strip("= "), *failed])
    return Proof(passed(ran.returncode == 0 and counts.get("passed", 0) > 0), found, counts)
