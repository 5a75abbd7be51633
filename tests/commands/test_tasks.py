"""The commands on runs whose generators read pictures: scores with baselines, pages, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.analysis.reals import open_singly, take
from gan_cli.runs.reading import run_at
from gan_cli.session import single_parts
from gan_cli.session.load import load
from gan_cli.session.sample_sheet import sheet
from tests.helpers import result

FIXED = ("device=cpu", "w1_count=8")


def test_scores_of_restored_images_stand_beside_a_baseline_and_a_floor(gan, run_of):
    run = run_of("enlarged")
    ended = gan("evaluate", run, "count=40", "split=heldout", *FIXED)
    assert ended.code == 0, ended
    found = result(ended.out)
    protocol, scores = found["protocol"], found["scores"]
    assert protocol["baseline"] == "bicubic interpolation, in place of the fakes"
    assert protocol["pairs"] == "each image and its target, values of 8 bits, all channels; means over the images"
    assert all(f"{key}: {value}" in ended.out for key, value in protocol.items())
    assert "baseline  real" in ended.out
    for name in ("frechet_distance_fashion_mnist", "kid_fashion_mnist", "sliced_w1", "psnr", "ssim"):
        assert all(isinstance(scores[name][key], float) for key in ("value", "floor", "baseline")), name
    assert scores["psnr"]["baseline"] > scores["psnr"]["floor"]
    assert (scores["psnr"]["better"], scores["psnr"]["space"], scores["psnr"]["n_fake"]) == ("higher", "pairs", 40)
    array = np.load(gan("sample", run, "count=40", "format=npz", "out=x.npz", "device=cpu").out.strip())["samples"]
    targets, bicubic = heldout_of(run, 40)
    assert scores["psnr"]["value"] == pytest.approx(mean_psnr(array[..., 0], targets), rel=1e-5)
    assert scores["psnr"]["baseline"] == pytest.approx(mean_psnr(bicubic, targets), abs=0.02)


def heldout_of(run, n):
    """The first held-out images (n, 16, 16) of a run, and what Pillow makes of them in 4 x 4, uint8."""
    data = open_singly(single_parts.dataset(load(Path(run), "cpu").config), torch.device("cpu"))
    x = take(data.heldout, 0, n).x[:, 0].numpy()
    small = [np.asarray(Image.fromarray(i).resize((4, 4), Image.Resampling.BICUBIC)).clip(-1, 1) for i in x]
    large = [np.asarray(Image.fromarray(i).resize((16, 16), Image.Resampling.BICUBIC)).clip(-1, 1) for i in small]
    return (((values + 1) * 127.5).round() for values in (x, np.stack(large)))


def mean_psnr(made, target):
    errors = ((made.astype(float) - target) ** 2).mean(axis=(1, 2))
    return float((10 * np.log10(255**2 / errors)).mean())


def test_scores_of_filled_holes_are_of_the_whole_image_and_of_the_hole(gan, run_of):
    found = result(gan("evaluate", run_of("filled"), "count=20", *FIXED).out)
    assert found["protocol"]["baseline"] == "each hole filled with the mean colour around it, in place of the fakes"
    assert found["protocol"]["pairs"].startswith("each image and its target, whole, and in the hole alone, values")
    scores = found["scores"]
    assert scores["psnr"]["value"] == pytest.approx(scores["psnr_hole"]["value"] + 10 * np.log10(4), rel=1e-6)
    assert {"ssim", "ssim_hole"} <= set(scores)


def test_scores_of_translations_are_of_each_domain(gan, run_of, refused):
    run = run_of("translated")
    assert refused("evaluate", run, "count=21", "extractor=pixels") == (
        "count=21: the samples are of two domains, as many of each: count=22"
    )
    found = result(gan("evaluate", run, "count=40", "extractor=pixels", *FIXED).out)
    assert found["protocol"]["baseline"] == "the image of the other domain itself, in place of the fakes"
    scores = found["scores"]
    assert {f"frechet_distance_pixels_{domain}" for domain in "ab"} <= set(scores)
    assert (scores["exact_w1_a"]["n_real"], scores["exact_w1_b"]["n_fake"]) == (4, 4)
    assert scores["psnr_there_and_back"]["baseline"] == pytest.approx(58.92)
    assert scores["psnr_there_and_back"]["value"] < 58


@pytest.mark.parametrize("words", [("collapse",), ("explore",), ("explore", "kind=features")])
def test_what_is_about_noise_refuses_a_generator_that_reads_pictures(refused, run_of, words):
    message = refused(words[0], run_of("enlarged"), *words[1:])
    assert message.startswith(
        "this run's generator reads a picture and makes nothing of z alone: gan sample RUN source="
    )


@pytest.mark.parametrize("name", ["enlarged", "filled", "translated"])
def test_report_compare_and_doctor(gan, run_of, name):
    run = run_of(name)
    ended = gan("report", run, "--updates", "2", "--count", "20", "--extractor", "pixels", "--device", "cpu")
    assert ended.code == 0, ended
    made = {path.name for path in (Path(run) / "report").iterdir()}
    assert {"estimate.png", "critic_weights.png", "index.html"} <= made
    numbers = json.loads((Path(run) / "report" / "report.json").read_text())
    assert numbers[0]["quality"]["points"][0]["source"] == "checkpoint"
    compared = gan("compare", run, "--out", "page")
    assert compared.code == 0, compared
    assert "samples.png" in compared.out
    assert "not in the sheet" not in compared.out
    checked = gan("doctor", run)
    assert checked.code == 0, checked
    assert "verified" in checked.out


def test_a_comparison_shows_the_sources_the_baseline_and_the_targets_of_all_runs(run_of):
    run = Path(run_of("enlarged"))
    rows, notes = sheet([run_at(run), run_at(run)], [], 0)
    assert notes == []
    assert [*list(rows)[:2], list(rows)[-1]] == ["source", "bicubic interpolation", "target"]
    first, second = list(rows.values())[2:-1]
    np.testing.assert_array_equal(first, second)
    targets, bicubic = heldout_of(run, 12)
    np.testing.assert_array_equal(rows["target"][..., 0], targets)
    np.testing.assert_allclose(rows["bicubic interpolation"][..., 0], bicubic, atol=1)
    rows, notes = sheet([run_at(run), run_at(Path(run_of("filled")))], [], 0)
    assert notes == ["in the sheet of samples, filled has other sources than the runs above it"]


def test_a_run_without_a_critic_has_a_report_of_its_objective(gan, run_of):
    run = run_of("coloured")
    ended = gan("report", run, "--count", "20", "--extractor", "pixels", "--device", "cpu")
    assert "this loss does not estimate a distance, so the curve is generator/loss" in ended.out
    assert "this loss trains no critic" in ended.out
    assert (Path(run) / "report" / "estimate.png").is_file()
    assert "generator/loss" in gan("runs", run).out
