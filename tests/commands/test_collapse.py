"""`gan collapse` on small runs, and on generators that repeat themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.analysis import fakes
from gan_cli.analysis.reals import open_singly
from gan_cli.data.images import FashionMNIST10k

FEW = ("batches=10", "max_size=16", "count=100")
SAME = "device=cpu"  # where the size of a batch changes no bit


def result(out: str) -> dict:
    *_, path, picture, blank, verdict = out.splitlines()
    assert blank == ""
    found = json.loads(Path(path).read_text())
    assert found["verdict"] == verdict
    assert Image.open(picture).size[0] > 10
    return found


def test_images_with_classes_and_the_same_again(gan, run_of, tmp_path):
    run = run_of("classes")
    found = result(gan("collapse", run, *FEW, SAME).out)
    assert "SHA-256" in found["protocol"]["extractor"]
    assert found["protocol"]["real"].startswith("500 held-out samples, data ")
    assert len(found["classes"]["fake"]) == 10
    assert sum(found["classes"]["fake"]) == pytest.approx(1)
    assert found["sizes"][-1]["size"] == 16 or found["sizes"][-1]["with_duplicate"] >= 5
    assert len(found["near_pairs"]["samples"]) == 10
    again = gan("collapse", run, *FEW, SAME, f"out={tmp_path}/y/x.json", "batch_size=7").out
    assert result(again)["sizes"] == found["sizes"]
    assert (tmp_path / "y" / "x.png").is_file()


def test_points_and_the_thousand_modes(gan, run_of):
    ring = result(gan("collapse", run_of("ring"), *FEW).out)
    assert ring["modes"]["total"] == 8
    assert "classes" not in ring
    stacked = result(gan("collapse", run_of("stacked"), *FEW).out)
    assert len(stacked["classes"]["fake"]) == 1000
    assert stacked["classes"]["met"] < 100


def real_images(numbers):
    return open_singly(FashionMNIST10k(28), torch.device("cpu")).train.at(torch.as_tensor(numbers)).x


def answer(monkeypatch, draw):
    """Let the run's generator answer with what a function draws."""
    monkeypatch.setattr(
        fakes, "sample", lambda game, network, n, draws, batch_size=256, y=None: iter([draw(n).to(draws.device)])
    )


def repeat(monkeypatch, images, noise=0.0):
    """Let it answer with one of these images, by chance, and a little noise."""
    rng = torch.Generator().manual_seed(0)

    def draw(n):
        chosen = images[torch.randint(len(images), (n,), generator=rng)]
        return chosen + noise * torch.randn(chosen.shape, generator=rng)

    answer(monkeypatch, draw)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_a_memorised_generator_is_caught(gan, run_of, monkeypatch, noise):
    repeat(monkeypatch, real_images(range(50)), noise)
    found = result(gan("collapse", run_of("memorised"), "count=500").out)
    assert 25 < found["effective_support"]["value"] < 100
    assert found["verdict"].startswith("collapsed: it has about")
    assert found["verdict"].endswith("as many as it was trained on (50): it may have memorised them")
    if noise == 0.3:  # a classifier takes such copies for others
        assert found["space"] == "pixels"
        assert float(found["others"]["fashion_mnist"]["effective_support"]["value"]) > 500


def test_three_modes_are_caught_and_the_pairs_are_shown_side_by_side(gan, run_of, monkeypatch):
    repeat(monkeypatch, real_images(range(3)))
    ended = gan("collapse", run_of("classes"), "count=500", "pairs=4")
    found = result(ended.out)
    assert found["effective_support"]["high"] < 12
    assert "classes are missing" in found["verdict"]
    pixels = np.asarray(Image.open(ended.out.splitlines()[-3]))[2:, 2:]
    assert (pixels[:28, :28] == pixels[:28, 30:58]).all()


def test_real_images_are_not(gan, run_of, monkeypatch):
    images = real_images(range(1000, 7000))
    kept = iter(torch.randperm(6000, generator=torch.Generator().manual_seed(0)).split(1))
    answer(monkeypatch, lambda n: images[torch.cat([next(kept) for _ in range(n)])])
    found = result(gan("collapse", run_of("classes"), "batches=20", "max_size=128", "count=500").out)
    assert found["verdict"].startswith("no sign of collapse")
    assert found["effective_support"]["low"] > 2_000


def test_mistakes(refused, run_of):
    run = run_of("ring")
    assert refused("collapse") == "no run is named; write gan collapse RUN, such as gan collapse runs/NAME"
    assert "batches=3: must be" in refused("collapse", run, "batches=3")
    assert "weights=ema: this run kept no moving average" in refused("collapse", run, "weights=ema")


@pytest.mark.slow
def test_a_generator_that_collapsed_in_training_is_caught(gan, tmp_path):
    run = tmp_path / "run"
    overrides = ("loss=nonsaturating", "model=mlp", "model.width=32", "dataset.limit=50", "dataset.image_size=28")
    steps = ("train.steps=2000", "train.batch_size=50", "log.samples_every_steps=2000", "runtime=cpu")
    assert gan("train", *overrides, *steps, f"run_dir={run}").code == 0
    found = result(gan("collapse", str(run)).out)
    assert found["verdict"].startswith("collapsed")
    assert found["effective_support"]["high"] < 500
