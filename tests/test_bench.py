"""The benchmark runs and compares like with like; how fast it finds us is its own business."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench.py"


def test_bench_prints_a_table_and_keeps_the_numbers(tmp_path):
    small = ["runtime=cpu", "runtime.threads=1", "model.width=4", "train.batch_size=8", "dataset.limit=64"]
    command = [
        sys.executable,
        str(SCRIPT),
        "--sizes",
        "16",
        "--steps",
        "1",
        "--rounds",
        "2",
        "--json",
        "r.json",
        *small,
    ]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (result,) = json.loads((tmp_path / "r.json").read_text())
    assert len(result["speed_ratios"]) == 2
    assert all(seconds > 0 for seconds in result["seconds_per_step"].values())
    assert printed.splitlines()[-1].startswith("| 16 |")
