"""The proof for GPUs runs on a CPU in small sizes, so that it is whole when a GPU is at hand."""

import json
import os
from pathlib import Path

from gan_cli.api.request import requested
from gan_cli.session import build
from tests.children import fresh

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
PARTS = ("tests", "engines", "handover", "memory", "speed", "losses", "commands")  # tests/training has two processes


def test_every_part_runs_and_is_written_down(tmp_path):
    found = tmp_path / "proof.json"
    words = (*PARTS, "--tiny", "--json", found, "--docs", tmp_path)
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    ran = fresh(SCRIPTS / "gpu_proof.py", *words, folder=tmp_path, environment=hidden)
    rows = json.loads(found.read_text())["rows"]
    assert {row["part"]: row["state"] for row in rows} == dict.fromkeys(PARTS, "passed") | {"tests": "not run"}
    (speed,) = next(row["figures"]["rows"] for row in rows if row["part"] == "speed")
    assert min(speed[key] for key in ("seconds", "textbook", "eager", "flops", "bytes", "flop_floor", "byte_floor")) > 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.count("## On a GPU") == ran.stdout.count("## On a GPU") == 1
    assert "In small sizes" in page


def test_what_fails_is_said_and_makes_the_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(SCRIPTS)
    import gpu_proof
    from proof import memory

    monkeypatch.setattr(memory, "prove", lambda scale, folder: 1 / 0)
    assert gpu_proof.main(["memory", "--tiny", "--json", str(tmp_path / "proof.json")]) == 1
    assert "| memory | FAILED | 0 | Traceback" in capsys.readouterr().out


def test_every_config_of_it_is_one_that_trains(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    from proof import engines, losses

    cases = [*(case for group in losses.configs() for case in group), *(case for case, _ in engines.CASES)]
    assert len(cases) > 50
    for case in cases:
        build.check(requested("train", list(case)).config)
