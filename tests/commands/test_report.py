"""`gan report` on small runs: its page, its files, and that it leaves the runs alone."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from PIL import Image

from gan_cli.session import report
from tests.pages import read_page

QUICK = ("--updates", "4", "--count", "20", "--device", "cpu")
MMD = "loss=mmd loss.space=pixels constraint=none updates=alternating"
SMALL = ("runtime=cpu", "runtime.threads=1", "train.batch_size=8", "log.every_steps=1", "model.width=4")


def contents(path):
    return {p: p.read_bytes() for p in Path(path).rglob("*") if p.is_file() and "report" not in p.parts}


def test_images_with_pictures_scored_on_the_spot(gan):
    steps = ("train.steps=6", "log.samples_every_steps=1", "log.sample_count=12", "checkpoint.every_steps=3")
    assert (
        gan("train", *SMALL, *steps, "model=mlp", "dataset.image_size=28", "dataset.limit=100", "run_dir=run").code == 0
    )
    before = contents("run")
    ended = gan("report", "run", *QUICK, "--extractor", "pixels")
    assert ended.code == 0, ended
    assert contents("run") == before
    out = Path("run/report")
    critic = {f"critic_{name}.png" for name in ("weights", "gradient_norms", "further")}
    assert {p.name for p in out.iterdir()} == {"estimate.png", "quality.png", *critic, "report.json", "index.html"}
    for path in out.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 300
    page = read_page(out / "index.html")
    assert page.title == "Report: wgan, mlp, fashion_mnist_10k, seed 0"
    assert page.charts == ["critic/wasserstein_estimate"] * 2
    assert page.images == 5 + 3  # samples at five steps, and the critic
    assert {"../config.yaml", "../metrics.jsonl", "../samples", "report.json", "estimate.png"} <= page.files
    assert "K times a lower bound of the Wasserstein distance" in page.text
    command = json.loads(Path("run/run.json").read_text())["sessions"][0]["command"]
    assert shlex.join(command) in page.text
    assert "gan report run --updates 4" in page.text
    (found,) = json.loads((out / "report.json").read_text())
    assert found["quality"]["score"] == "quality/kid_pixels"
    sources = {p["step"]: p["source"] for p in found["quality"]["points"]}
    assert sources == {1: "picture", 2: "picture", 3: "checkpoint", 4: "picture", 5: "picture", 6: "checkpoint"}
    assert found["critic"]["further"]["updates"] == [0, 1, 2, 3, 4]
    assert 0 <= found["critic"]["clip_saturation"] <= 1
    assert {v["kind"] for v in found["verdicts"]} <= {"good", "look", "unknown"}
    assert all(verdict["text"] in ended.out for verdict in found["verdicts"])
    first = found["verdicts"][0]
    assert first["kind"] == "look"
    assert first["text"].startswith("the samples are ")
    assert "with 20 samples of step 6 (frechet_distance_pixels)" in first["text"]
    assert ended.out.splitlines()[1] == f"  ! {first['text']}"


def test_several_runs_points_scores_of_the_rows_and_a_loss_without_an_estimate(gan):
    for name, loss in (("a", "loss=energy_distance"), ("b", MMD)):
        scored = ("evaluate.every_steps=1", "evaluate.count=20", "train.steps=6", "log.samples_every_steps=100")
        chosen = loss.split()
        ended = gan("train", *SMALL, *scored, *chosen, "model=toy_mlp", "dataset=ring", f"run_dir=runs/{name}")
        assert ended.code == 0, ended
    ended = gan("report", "runs", *QUICK)
    assert ended.code == 0, ended
    out = Path("runs/report")
    files = {p.name for p in out.iterdir()}
    assert {"1_estimate.png", "1_quality.png", "1_critic_weights.png", "index.html", "report.json"} <= files
    a, b = json.loads((out / "report.json").read_text())
    assert a["quality"]["score"] == "distance/exact_w1"
    assert a["quality"]["how"] == "the run's own rows"
    assert a["quality"]["spearman"]["n"] == 6
    assert a["estimate"]["tag"] == "critic/energy_distance"
    assert a["critic"]["further"]["updates"] == [0, 1, 2, 3, 4]
    assert b["estimate"]["tag"] == "critic/mmd"
    assert "critic" not in b
    assert {"kind": "unknown", "text": "this loss trains no critic"} in b["verdicts"]
    page = read_page(out / "index.html")
    assert page.title == "Report: loss: energy_distance against mmd"
    assert page.contents == ["run-1", "run-2"]
    assert "1_quality.png" in page.files


def test_a_run_without_checkpoint_or_data(gan, run_of, monkeypatch):
    run = Path(run_of("ring"))
    for path in (run / "checkpoints").iterdir():
        (path / "MANIFEST.json").unlink()
    ended = gan("report", str(run), *QUICK)
    assert ended.code == 0, ended
    assert "the critic was not examined" in ended.out


def test_mistakes(refused, run_of):
    run = run_of("ring")
    assert refused("report", "nowhere").startswith("nowhere: no such run")
    assert "did you mean --extractor pixels" in refused("report", run, "--extractor", "pixel")
    assert "--updates" in refused("report", run, "--updates", "0")
    assert "runs" in refused("report").lower()


def test_a_report_that_is_stopped_has_the_runs_before(gan, monkeypatch):
    assert gan("train", *SMALL, "model=toy_mlp", "dataset=ring", "train.steps=2", "run_dir=runs/a").code == 0
    for name in ("b", "c"):
        shutil.copytree("runs/a", f"runs/{name}")
    part_of, seen = report.part_of, []

    def stopped(run, asked):
        seen.append(sorted(path.name for path in Path("out").glob("*")))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return part_of(run, asked)

    monkeypatch.setattr(report, "part_of", stopped)
    ended = gan("report", "runs", "--out", "out", *QUICK)
    assert ended.code == 130
    assert seen[0] == []
    assert "1_estimate.png" in seen[1]
    assert {"1_estimate.png", "2_estimate.png"} <= set(seen[2])
    assert "index.html" not in seen[2]
    assert [found["run"] for found in json.loads(Path("out/report.json").read_text())] == ["runs/a", "runs/b"]
    page = read_page(Path("out/index.html"))
    assert {"1_estimate.png", "2_estimate.png", "report.json"} <= page.files
