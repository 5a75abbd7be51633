"""`gan evaluate` on small runs: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gan_cli.extractors.fashion_mnist import SHA256
from gan_cli.extractors.inception import Inception
from tests import conftest
from tests.conftest import IMAGES
from tests.helpers import result

SMALL = (*conftest.SMALL, *IMAGES)


PROTOCOL = ("run", "step", "weights", "seed", "truncation", "real", "floor", "fake")


@pytest.mark.parametrize("name", ["clothes", "classes"])
def test_images(gan, run_of, name):
    ended = gan("evaluate", run_of(name), "count=40", "w1_count=16", "device=cpu")
    assert ended.code == 0, ended
    found = result(ended.out)
    protocol, scores = found["protocol"], found["scores"]
    assert set(protocol) == {*PROTOCOL, "extractor", "resize"}
    assert all(f"{key}: {value}" in ended.out for key, value in protocol.items())
    assert SHA256 in protocol["extractor"]
    assert protocol["real"].startswith("40 images of 1 x 28 x 28, train split, data ")
    assert protocol["floor"] == "40 other real images in place of the fakes, heldout split"
    assert protocol["fake"].endswith(", with the classes of the real ones") == (name == "classes")
    assert "fid" not in scores
    for name in ("frechet_distance", "kid", "classifier_score", "precision", "recall", "density", "coverage"):
        score = scores[f"{name}_fashion_mnist"]
        assert (score["n_real"], score["n_fake"]) == (40, 40)
        assert isinstance(score["floor"], float)
    frechet = scores["frechet_distance_fashion_mnist"]
    assert frechet["value"] > frechet["floor"]
    assert (frechet["better"], scores["recall_fashion_mnist"]["better"]) == ("lower", "higher")
    assert scores["exact_w1"]["n_real"] == scores["critic_estimate"]["n_real"] == 16
    ratio = scores["critic_estimate"]["value"] / scores["critic_lipschitz"]["value"]
    assert scores["critic_estimate_over_lipschitz"]["value"] == pytest.approx(ratio)


def test_points_of_two_dimensions_and_one(gan, run_of):
    found = result(gan("evaluate", run_of("ring"), "count=50", "w1_count=20").out)
    assert set(found["protocol"]) == set(PROTOCOL)
    critic = {"critic_estimate", "critic_lipschitz", "critic_estimate_over_lipschitz"}
    assert set(found["scores"]) == {"sliced_w1", "exact_w1", "modes", "high_quality_share", "kl_to_uniform", *critic}
    assert found["scores"]["modes"]["floor"] == 8
    line = result(gan("evaluate", run_of("line"), "count=50").out)["scores"]
    assert set(line) == {"sliced_w1", "exact_w1"}
    assert line["exact_w1"]["value"] == pytest.approx(line["sliced_w1"]["value"])


def test_the_same_again_where_it_is_asked_to_be_unless_the_data_have_changed(gan, run_of, tmp_path):
    run = run_of("ring")
    first, other = (
        gan("evaluate", run, "count=20", "device=cpu", f"seed={s}", f"out={tmp_path}/x/{s}.json") for s in "01"
    )
    again = gan("evaluate", run, "count=20", "device=cpu")
    assert result(first.out) == result(again.out)
    assert result(first.out)["scores"] != result(other.out)["scores"]
    assert not (Path(run) / "evaluations" / "1.json").exists()
    assert "other data" not in again.err
    status = Path(run) / "run.json"
    status.write_text(re.sub('"data": "[0-9a-f]+"', '"data": "another"', status.read_text()))
    assert "was trained on other data" in gan("evaluate", run, "count=10").err


def test_raw_weights_are_not_the_moving_average(gan):
    assert gan("train", *SMALL, "train.ema_halflife_images=8", "run_dir=run").code == 0
    ended = [gan("evaluate", "run", "extractor=pixels", "count=10", f"weights={name}") for name in ("ema", "raw")]
    ema, raw = (result(e.out) for e in ended)
    assert (ema["protocol"]["weights"], raw["protocol"]["weights"]) == ("ema", "raw")
    assert ema["protocol"]["extractor"] == "pixels, no weights"
    assert ema["scores"]["exact_w1"]["value"] != raw["scores"]["exact_w1"]["value"]


def test_mistakes(gan, refused, run_of, monkeypatch):
    run = run_of("clothes")
    assert refused("evaluate") == "no run is named; write gan evaluate RUN, such as gan evaluate runs/NAME"
    assert refused("evaluate", "nowhere").startswith("run=nowhere: no such run")
    assert "count=5: must be" in refused("evaluate", run, "count=5")
    assert "need count=4750 or less" in refused("evaluate", run, "count=100000")
    assert "did you mean extractor=pixels" in refused("evaluate", run, "extractor=pixel")
    assert "extractor.side=999" in refused("evaluate", run, "extractor=pixels", "extractor.side=999")
    assert refused("evaluate", run, "loss=wgan").startswith("loss=wgan: gan evaluate has no loss")
    assert refused("sample", run, "extractor=pixels").startswith("extractor=pixels: gan sample has no")
    monkeypatch.setattr(Inception, "_path", lambda self: Path("/nowhere/weights-6726825d.pth"))
    assert "extractor.weights=x: no such file" in refused("evaluate", run, "extractor=inception", "extractor.weights=x")
    text = gan("evaluate", "--help").out
    assert "extractor: auto, classifier, efficientnet_lite0, fashion_mnist, inception, pixels" in text
    assert "optimizer:" not in text


SCORED = ("evaluate.every_steps=2", "evaluate.count=30", "evaluate.w1_count=8", "log.every_steps=1", "seed=3")


OF_16_PIXELS = ("model.width=4", "model.generator.blocks=1", "dataset.image_size=16")


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ((*IMAGES, "condition=concat"), "floor", "30 fakes against as many real samples of the train split"),
        (("task=restore", "degradation=noise", *OF_16_PIXELS), "baseline", "; the degraded image itself: "),
    ],
)
def test_the_curves_of_a_run_are_what_gan_evaluate_says_of_its_checkpoint(gan, words, kind, said):
    trained = gan("train", *conftest.SMALL, *words, *SCORED, "runtime.precision=fp32", "train.steps=2", "run_dir=run")
    assert trained.code == 0, trained
    assert "evaluated every 2 steps: " in trained.out + trained.err
    assert said in trained.out + trained.err
    row = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    ended = gan("evaluate", "run", "count=30", "w1_count=8", "seed=3", "batch_size=8", "device=cpu")
    scores = result(ended.out)["scores"]
    assert ("psnr" in scores) == (kind == "baseline")
    curves = {tag.partition("/")[2]: value for tag, value in row.items() if tag.startswith(("quality/", "distance/"))}
    assert curves == {name: pytest.approx(score["value"], rel=1e-4) for name, score in scores.items()}
    kept = json.loads(Path("run/run.json").read_text())["evaluation"][f"{kind}s"]
    expected = {name: pytest.approx(s[kind], rel=1e-4) for name, s in scores.items() if s[kind] is not None}
    assert {tag.partition("/")[2]: value for tag, value in kept.items()} == expected


def test_an_evaluation_while_training_can_begin_when_a_run_goes_on(gan):
    assert gan("train", *SMALL, "run_dir=run").code == 0
    assert gan("resume", "run", "train.steps=3", *SCORED[:-1]).code == 0
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "distance/exact_w1" in row] == [2]


def test_mistakes_of_an_evaluation_while_training(refused):
    every = "evaluate.every_steps=1"
    for without_effect in ("evaluate.count=30", "extractor=pixels"):
        assert "add evaluate.every_steps=500" in refused("train", *SMALL, without_effect)
    assert "evaluate.count=5: must be" in refused("train", *SMALL, every, "evaluate.count=5")
    assert "need evaluate.count=4750 or less" in refused("train", *SMALL, every, "evaluate.count=5000")
    assert "extractor" in refused("train", *SMALL, every, "extractor=inception", "extractor.weights=nowhere.pth")
