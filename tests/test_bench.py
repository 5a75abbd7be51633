"""The benchmarks run and compare like with like; how fast they find us is their own business."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench.py"
SMALL = ["runtime=cpu", "runtime.threads=1", "model.width=4", "train.batch_size=8"]


def bench(folder, *words):
    """Run the script; return what it printed and the numbers of its parts."""
    command = [sys.executable, str(SCRIPT), *words, "--rounds", "2", "--docs", str(folder), *SMALL]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, json.loads((folder / "benchmarks.json").read_text())


def test_the_speed_of_each_loss_is_written_as_a_table_and_as_numbers(tmp_path):
    printed, kept = bench(tmp_path, "speed", "--sizes", "16", "--channels", "3")
    rows = kept["speed"]["rows"]
    assert [row["loss"] for row in rows] == ["wgan", "wgan_gp", "nonsaturating"]
    for row in rows:
        assert all(len(values) == 2 and min(values) > 0 for values in row["rounds"].values())
        assert f"| {row['loss']} | 16 x 16 x 3 | {row['seconds']['gan']:.3f} |" in printed
    page = (tmp_path / "benchmarks.md").read_text()
    assert printed.strip() in page
    assert "--docs" in kept["speed"]["facts"]["command"]
    assert str(kept["speed"]["facts"]["torch"]) in page


def test_a_part_that_is_not_there_is_refused(tmp_path):
    ran = subprocess.run([sys.executable, str(SCRIPT), "sped"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "sped: no such part; there are speed, " in ran.stderr
