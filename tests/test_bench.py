"""The benchmarks run and compare like with like; how fast they find us is their own business."""

import json
from pathlib import Path

import pytest

from tests.children import fresh

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SMALL = ["runtime=cpu", "runtime.threads=1", "model.width=4", "train.batch_size=8"]
FACTS = {
    "command": "python scripts/bench.py",
    "processor": "A processor",
    "cores": 2,
    "instructions": "AVX2",
    "bf16": False,
    "gpu": None,
    "torch": "2.6",
    "python": "3.10",
    "date": "2026-01-01 00:00 UTC",
    "load": 0.5,
}


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    from benchmarks import report

    return report


def bench(folder, *words):
    """Run the script; return what it printed and the numbers of its parts."""
    ran = fresh(SCRIPTS / "bench.py", *words, "--docs", folder, *SMALL, folder=folder)
    kept = json.loads((folder / "benchmarks.json").read_text())
    return ran.stdout, {name: results[-1] for name, results in kept.items()}


@pytest.mark.parametrize("losses", ["nonsaturating", pytest.param("wgan,wgan_gp", marks=pytest.mark.slow)])
def test_speed_floor_layers_and_fakes_are_written_as_tables_and_as_numbers(tmp_path, losses):
    small = ("--losses", losses, "--sizes", "16", "--channels", "3", "--rounds", "2")
    printed, kept = bench(tmp_path, "speed", "floor", "layers", "fakes", *small)
    rows = kept["speed"]["rows"]
    assert [row["loss"] for row in rows] == losses.split(",")
    for row in rows:
        assert all(len(values) == 2 and min(values) > 0 for values in row["rounds"].values())
        assert f"| {row['loss']} | 16 x 16 x 3 | {row['seconds']['gan']:.3f} |" in printed
    (floor,) = kept["floor"]["rows"]
    assert floor["share"] == pytest.approx(floor["flops"] / floor["peak"] / floor["seconds"])
    assert [row["name"] for row in kept["layers"]["rows"]][::3] == [
        "transposed convolution 8 to 4, 4 to 8 pixels", "convolution 4 to 8, 8 to 4 pixels"
    ]  # fmt: skip
    assert all(min(row["seconds"].values()) > 0 for row in kept["layers"]["rows"])
    assert [row["name"] for row in kept["fakes"]["rows"]] == ["dcgan, 16 x 16 x 1", "toy_mlp, points"]
    page = (tmp_path / "benchmarks.md").read_text()
    for section in printed.strip().split("## ")[1:]:
        assert section.strip() in page
    assert "--docs" in kept["speed"]["facts"]["command"]


def test_layers_in_bf16(report):
    from benchmarks import layers
    from benchmarks.options import Options

    small = (*SMALL, "runtime.precision=bf16")
    found = layers.measure(Options(sizes=(16,), rounds=1, overrides=small, show=lambda text: None))
    assert {row["precision"] for row in found["rows"]} == {"bf16"}


def test_scale_prints_what_each_size_costs_and_how_that_grows(tmp_path):
    printed, kept = bench(tmp_path, "scale", "--of", "jobs", "--share", "0.01")
    rows = kept["scale"]["rows"]
    assert [(row["name"], row["size"]) for row in rows] == [("jobs", 10), ("jobs", 20), ("jobs", 40)]
    assert all(row["cpu"] > 0 and row["memory"] >= 0 for row in rows)
    assert rows[1]["written"] > 1.9 * rows[0]["written"] > 0  # a sweep.json is as long as there are jobs
    assert "| write sweep.json as jobs end | 40 jobs |" in printed


def test_a_case_that_scale_does_not_have_is_refused():
    ran = fresh(SCRIPTS / "bench.py", "scale", "--of", "sells", code=2)
    assert "--of sells: scale has the cases cells, jobs, " in ran.stderr


@pytest.mark.slow
def test_every_case_of_scale(tmp_path, report):
    from benchmarks.scale import CASES

    _, kept = bench(tmp_path, "scale", "--share", "0.0001")
    assert list(dict.fromkeys(row["name"] for row in kept["scale"]["rows"])) == list(CASES)


@pytest.mark.slow
def test_every_part_that_starts_processes(tmp_path):
    parts = ["startup", "memory", "overheads", "pipeline", "busy"]
    _, kept = bench(tmp_path, *parts, "--sizes", "16", "--rounds", "1", "--images", "2000")
    assert list(kept) == parts
    assert kept["startup"]["ratio"] > 0
    assert all(row["peak"] > row["before"] > 0 for row in kept["memory"]["rows"] if row["before"])
    assert all(0 < share < 1 for row in kept["overheads"]["rows"] for share in row["shares"].values())
    assert kept["pipeline"]["rows"][0]["ratio"] > 0
    assert [len(row["rounds"]["beside"]) for row in kept["busy"]["rows"]] == [3, 3]


def test_shares_of_overheads_are_of_the_default_intervals(report, monkeypatch):
    from benchmarks import overheads
    from benchmarks.options import Options

    found = {
        "step": [[0, 2.0], [1, 2.0], [2, 2.0], [3, 2.0]],
        "watch": [[1, 9.0], [2, 0.001], [3, 0.001]],
        "curves": [[1, 9.0], [2, 0.203], [3, 0.003]],
        "pictures": [[1, 9.0], [2, 0.4], [3, 0.4]],
        "checkpoints": [[1, 9.0], [2, 0.6], [3, 0.6]],
    }
    monkeypatch.setattr(overheads, "run", lambda command: json.dumps(found))
    result = overheads.measure(Options(sizes=(16,), show=lambda text: None))
    shares = result["rows"][0]["shares"]
    # a row every 25 steps and 0.004 s each step; a picture every 100; a checkpoint every 300 s, before 1,000 steps
    assert shares == pytest.approx({"logging": 0.012 / 2, "pictures": 0.004 / 2, "checkpoints": 0.6 / 300})
    assert "**0.60%** | **0.40%** (0.20% + 0.20%)" in overheads.tables(result)


def speed(loss, ratio, **facts):
    seconds = {"gan": 1.0, "textbook": ratio}
    runtime = {"device": "cpu", "precision": "fp32", "engine": "eager", "threads": 1}
    row = {"loss": loss, "size": 32, "channels": 1, "seconds": seconds, "ratio": ratio}
    return {"facts": FACTS | facts, "rows": [row | {"ratio_in_memory": None, "runtime": runtime}]}


def test_a_part_measured_again_takes_the_place_of_what_it_measured_before(report, tmp_path):
    report.keep(tmp_path, {"speed": speed("wgan", 1.25, command="first")})
    report.keep(tmp_path, {"speed": speed("wgan_gp", 1.5, command="second")})
    page = (tmp_path / "benchmarks.md").read_text()
    assert "**1.25**" in page
    assert "**1.50**" in page
    assert page.index("`first`") < page.index("`second`")
    report.keep(tmp_path, {"speed": speed("wgan", 1.75, command="third")})
    page = (tmp_path / "benchmarks.md").read_text()
    assert "**1.25**" not in page
    assert "`first`" not in page
    assert page.index("**1.50**") < page.index("**1.75**")


@pytest.mark.parametrize(("facts", "missing"), [({}, 2), ({"bf16": True}, 1), ({"gpu": "A GPU", "bf16": True}, 0)])
def test_goals_that_the_machine_cannot_show_are_named(report, tmp_path, facts, missing):
    report.keep(tmp_path, {"speed": speed("wgan", 1.25, **facts)})
    assert (tmp_path / "benchmarks.md").read_text().count("are not measured") == missing


def test_a_part_that_is_not_there_is_refused():
    ran = fresh(SCRIPTS / "bench.py", "sped", code=2)
    assert "sped: no such part; there are speed, " in ran.stderr
