"""`gan evaluate fakes=... real=...`: pictures of any origin, by both doors."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import gan_cli
from gan_cli.analysis.evaluation import compared_features
from gan_cli.data.picture_set import picture_set
from gan_cli.errors import UserError
from gan_cli.extractors.pixels import Pixels
from gan_cli.metrics.frechet import frechet_distance
from tests.helpers import random_pictures, result
from tests.helpers import write_pictures as folder

OPTIONS = ("extractor=pixels", "w1_count=8", "device=cpu")


def pictures(n: int, seed: int, shape=(12, 12, 3)) -> np.ndarray:
    return random_pictures(n, *shape, seed=seed)


def test_a_folder_and_arrays_of_the_same_pictures_have_the_same_scores(gan):
    fakes, real = pictures(10, 0), pictures(20, 1)
    folder("fakes", fakes), folder("real", real)
    np.savez("fakes.npz", samples=fakes)
    np.save("real.npy", real)
    ended = gan("evaluate", "fakes=fakes", "real=real", *OPTIONS)
    assert ended.code == 0, ended
    found = result(ended.out)
    assert found == json.loads(Path("fakes_real_pixels_count_10_seed_0.json").read_text())
    assert found["protocol"]["fake"].startswith("10 pictures of 3 x 12 x 12, of 10 in fakes, data ")
    assert found["protocol"]["floor"] == "10 other real pictures in place of the fakes"
    assert not {"critic_estimate", "path_length_pixels"} & found["scores"].keys()
    arrays = result(gan("evaluate", "fakes=fakes.npz", "real=real.npy", *OPTIONS, "out=arrays.json").out)
    assert arrays["scores"] == found["scores"]
    keys = {"w1_count": 8, "device": "cpu", "extractor": "pixels"}
    for given in (("fakes", "real"), (fakes, torch.from_numpy(real))):
        scores = gan_cli.evaluate(*given, **keys).scores
        assert {name: score.value for name, score in scores.items()} == {
            name: score["value"] for name, score in found["scores"].items()
        }


def test_the_values_are_those_of_the_pictures(gan):
    fakes, real = pictures(10, 0, (16, 16)), pictures(20, 1, (16, 16))
    found = gan_cli.evaluate(fakes, real, extractor="pixels").scores
    first = picture_set(real, "real").first(20, (16, 16))[0]
    a, b = (torch.from_numpy(x).float().flatten(1) / 127.5 - 1 for x in (first[:10], fakes[:, None]))
    assert found["frechet_distance_pixels"].value == pytest.approx(frechet_distance(a, b), rel=1e-4)
    assert first.shape == (20, 1, 16, 16)
    assert sorted(first.sum((1, 2, 3))) == sorted(real.astype(int).sum((1, 2)))  # each once
    extractor = Pixels()
    assert {s.name for s in compared_features(extractor, *(extractor(torch.zeros(8, 1, 4, 4)),) * 2)} <= found.keys()


def test_sizes_and_colours_are_made_alike(gan):
    grey = pictures(8, 0, (8, 10))
    as_rgb = np.repeat(pictures(16, 1, (30, 20))[..., None], 3, axis=3)
    folder("grey", grey), folder("as_rgb", as_rgb)
    ended = gan("evaluate", "fakes=grey", "real=as_rgb", *OPTIONS)
    assert result(ended.out)["protocol"]["real"].startswith("8 pictures of 1 x 8 x 10, of 16 in as_rgb")
    folder("colours", pictures(16, 2))
    ended = gan("evaluate", "fakes=grey", "real=colours", *OPTIONS, "image_size=16", "count=6")
    assert result(ended.out)["protocol"]["fake"].startswith("6 pictures of 3 x 16 x 16, of 8 in grey")
    deep = (pictures(8, 0, (8, 10)).astype(np.uint16)) * 257
    same = gan_cli.evaluate(deep, "as_rgb", extractor="pixels", image_size=[8, 10], w1_count=8).scores
    eight = gan_cli.evaluate("grey", "as_rgb", extractor="pixels", w1_count=8).scores
    assert same == eight
    several = pictures(16, 3, (4, 9, 9))
    scores = gan_cli.evaluate(several[:8], several, extractor="pixels", w1_count=8)
    assert scores.protocol["fake"].startswith("8 pictures of 4 x 9 x 9")
    with pytest.raises(UserError, match="fakes have 4 channels and real ones 3"):
        gan_cli.evaluate(several[:8], "colours", extractor="pixels")
    with zipfile.ZipFile("grey.zip", "w") as archive:
        for path in sorted(Path("grey").iterdir()):
            archive.write(path)
    assert gan_cli.evaluate("grey.zip", "as_rgb", extractor="pixels", w1_count=8).scores == eight


def test_rectangles_archives_and_other_channels(gan):
    fakes, real = pictures(8, 0, (12, 20, 5)), pictures(16, 1, (12, 20, 5))
    np.save("fakes.npy", fakes)
    np.savez("real.npz", samples=real)
    found = result(gan("evaluate", "fakes=fakes.npy", "real=real.npz", *OPTIONS).out)
    assert found["protocol"]["fake"].startswith("8 pictures of 5 x 12 x 20, of 8 in")
    with pytest.raises(UserError, match="fakes have 5 channels and real ones 3; both must have as many"):
        gan_cli.evaluate(fakes, real[..., :3], extractor="pixels")
    with pytest.raises(UserError, match=r"extractor=auto: .* 5 channels; extractor=pixels"):
        gan_cli.evaluate(fakes, real)
    folder("wide", fakes[..., :3])
    with zipfile.ZipFile("wide.zip", "w") as file:
        for path in Path("wide").iterdir():
            file.write(path)
    folder("real", real[..., :3])
    same = [result(gan("evaluate", f"fakes={x}", "real=real", *OPTIONS).out)["scores"] for x in ("wide", "wide.zip")]
    assert same[0] == same[1]
    sized = gan("evaluate", "fakes=wide", "real=real", *OPTIONS, "image_size=[8,16]")
    assert result(sized.out)["protocol"]["real"].startswith("8 pictures of 3 x 8 x 16")
    deep = (fakes.astype(np.uint16) * 257, real.astype(np.uint16) * 257)
    assert (
        gan_cli.evaluate(*deep, extractor="pixels").scores == gan_cli.evaluate(fakes, real, extractor="pixels").scores
    )


def test_classes_by_the_names_of_sub_folders(gan):
    for kind, seed, n in (("fakes", 0, 12), ("real", 9, 24)):
        for i, name in enumerate(("cats", "dogs")):
            folder(f"{kind}/{name}", pictures(n, seed + i))
    ended = gan("evaluate", "fakes=fakes", "real=real", *OPTIONS, "within_classes=true")
    assert ended.code == 0, ended
    scores = result(ended.out)["scores"]
    of_classes = [scores[f"frechet_distance_within_classes_pixels[{name}]"] for name in ("cats", "dogs")]
    mean = scores["frechet_distance_within_classes_pixels"]
    assert mean["value"] == pytest.approx(sum(s["value"] for s in of_classes) / 2)
    assert mean["floor"] == pytest.approx(sum(s["floor"] for s in of_classes) / 2)
    assert sum(s["n_fake"] for s in of_classes) == 24
    assert mean["better"] == "lower"
    numbered = {"samples": np.concatenate([pictures(12, 0), pictures(12, 1)]), "labels": np.arange(24) // 12}
    np.savez("fakes.npz", **numbered)
    same = result(gan("evaluate", "fakes=fakes.npz", "real=real", *OPTIONS, "within_classes=true").out)["scores"]
    assert same.keys() == scores.keys()


def test_samples_of_a_run_in_both_ways(gan, run_of):
    run = run_of("classes")
    assert gan("sample", run, "format=npz", "count=60", "labels=true", "out=x.npz").code == 0
    assert gan("sample", run, "format=png", "count=60", "out=x").code == 0
    options = ("extractor=fashion_mnist", "w1_count=8", "splits=3")
    a, b = (result(gan("evaluate", f"fakes={x}", "real=x.npz", *options).out) for x in ("x.npz", "x"))
    assert a["protocol"]["real"] == b["protocol"]["real"].replace("60 in x,", "60 in x.npz,")
    assert {"std", "value", "floor"} <= a["scores"]["classifier_score_3_splits_fashion_mnist"].keys()


def test_mistakes(gan, refused, run_of):
    run = run_of("clothes")
    folder("few", pictures(5, 0)), folder("many", pictures(40, 0))
    Path("text.npz").write_text("no arrays")
    np.savez("odd.npz", numbers=np.zeros(3))
    np.savez("objects.npz", samples=np.array([{}, None], dtype=object))
    assert "add real=DIR" in refused("evaluate", "fakes=many")
    assert "add fakes=DIR" in refused("evaluate", run, "real=many")
    assert "leave one of them out" in refused("evaluate", run, "fakes=many", "real=many")
    assert refused("evaluate").startswith("no run is named")
    assert "weights=ema: has no effect on pictures" in refused("evaluate", "fakes=many", "real=many", "weights=ema")
    assert "image_size=16: has no effect on a run" in refused("evaluate", run, "image_size=16")
    assert "the scores need at least 6 and 12" in refused("evaluate", "fakes=few", "real=many")
    assert "count=20 or less" in refused("evaluate", "fakes=many", "real=many", "count=30")
    assert "fakes=nowhere does not exist" in refused("evaluate", "fakes=nowhere", "real=many")
    assert "fakes=text.npz cannot be read" in refused("evaluate", "fakes=text.npz", "real=many")
    assert "real=odd.npz" in refused("evaluate", "fakes=many", "real=odd.npz")
    assert "fakes=objects.npz cannot be read" in refused("evaluate", "fakes=objects.npz", "real=many")
    alike = ("fakes=many", "real=many", *OPTIONS)
    line = refused("evaluate", *alike, "within_classes=true", "classification_epochs=2")
    assert line.startswith("within_classes=true, classification_epochs=2: the fakes have no classes")
    assert "splits=4: extractor=pixels has no classes" in refused("evaluate", *alike, "splits=4")
    assert "splits=99: there are 20 samples" in refused("evaluate", run, "splits=99", "count=20")
    assert "path_length=5: the samples are points" in refused("evaluate", run_of("ring"), "path_length=5")
    Path("empty").mkdir()
    assert refused("evaluate", "fakes=empty", "real=many").startswith("fakes=empty")
    with pytest.raises(UserError, match="holds points"):
        gan_cli.evaluate(np.zeros((9, 2), dtype=np.float32), "many")


def test_a_classifier_learns_from_fakes_what_real_pictures_are(gan):
    y = torch.arange(160) % 2
    x = torch.zeros(160, 1, 12, 12) + (1.6 * y - 0.8).view(-1, 1, 1, 1)
    x += 0.1 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    keys = {"classification_epochs": 30, "extractor": "pixels", "w1_count": 4, "count": 60}
    good, wrong = (gan_cli.evaluate((x, labels), (x, y), **keys).scores for labels in (y, 1 - y))
    name = "classification_accuracy_score_30_epochs"
    assert good[name].value == good[name].floor == wrong[name].floor == 1
    assert wrong[name].value == 0
    assert (good[name].n_real, good[name].n_fake, good[name].direction) == (60, 60, "higher")
    with pytest.raises(UserError, match="the fakes have no classes"):
        gan_cli.evaluate(x, (x, y), **keys)


def test_further_scores_of_a_conditional_run(gan, run_of):
    run = run_of("classes")
    options = ("count=200", "w1_count=8", "splits=2", "within_classes=true", "path_length=9", "classification_epochs=1")
    ended = gan("evaluate", run, *options, "device=cpu")
    assert ended.code == 0, ended
    found = result(ended.out)
    assert found["protocol"]["path length"] == "9 pairs on whole slerp paths, e = 0.0001"
    names = found["scores"].keys()
    assert {"path_length_fashion_mnist", "classification_accuracy_score_1_epochs"} <= names
    assert sum(name.startswith("frechet_distance_within_classes_fashion_mnist[") for name in names) == 10
    usual = result(gan("evaluate", run, *options[:2], "device=cpu").out)["scores"]
    assert usual == {name: found["scores"][name] for name in usual}
