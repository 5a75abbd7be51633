"""The table of what bf16 costs is made of pairs of runs."""

import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SMALL = ["runtime=cpu", "runtime.threads=1", "model.width=4", "train.steps=1", "train.batch_size=8"]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import precision_table

    return precision_table


def test_runs_in_both_precisions_are_scored(script, tmp_path, monkeypatch, capsys):
    found = tmp_path / "found.json"
    words = ["--losses", "wgan", "--seeds", "3", "--count", "100", "--json", str(found), *SMALL]
    monkeypatch.setattr("sys.argv", ["precision_table.py", *words, "dataset.image_size=16"])
    script.main()
    rows = json.loads(found.read_text())
    assert [(row["loss"], row["seed"], row["precision"], row["steps"]) for row in rows] == [
        ("wgan", 3, "fp32", 1), ("wgan", 3, "bf16", 1)
    ]  # fmt: skip
    assert "| wgan | recall | 0.000 | 0.000 | +0.000 | 1 |" in capsys.readouterr().out


def test_the_interval_is_of_the_differences_of_pairs(script):
    rows = [
        {"loss": "wgan", "seed": seed, "precision": precision, "critic_estimate": value}
        for precision, values in (("fp32", (1.0, 5.0, 9.0)), ("bf16", (2.0, 6.0, 13.0)))
        for seed, value in enumerate(values)
    ]
    # differences 1, 1, 4: mean 2, deviation sqrt(3), so 4.30 * sqrt(3) / sqrt(3) on either side
    assert script.table(rows).splitlines()[-1] == "| wgan | critic_estimate | 5.0000 | 7.0000 | +2.0000 +- 4.3000 | 3 |"
