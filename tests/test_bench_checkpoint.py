"""The benchmark runs; how fast the disk is is its own business."""

import json
from pathlib import Path

from tests.children import fresh

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench_checkpoint.py"
SMALL = ["runtime=cpu", "runtime.threads=1", "model.width=4", "train.batch_size=8", "dataset.limit=64"]


def test_bench_prints_a_table_and_keeps_the_numbers(tmp_path):
    words = ["--rounds", "2", "--json", "r.json", *SMALL, "dataset.image_size=16"]
    ran = fresh(SCRIPT, *words, folder=tmp_path)
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["bytes"] > 500
    assert {name: len(values) for name, values in result["rounds"].items()} == dict.fromkeys(result["seconds"], 2)
    assert all(result["seconds"][name] > 0 for name in ("step", "foreground", "copy", "load"))
    assert ran.stdout.splitlines()[0] == "| cost of a checkpoint | cpu, fp32, 1 threads |"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
