"""`gan classifier`: what it writes is an extractor for every command that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import gan_cli
from gan_cli.errors import UserError
from gan_cli.extractors.classifier import TrainedClassifier
from tests.conftest import SMALL
from tests.helpers import random_pictures, write_pictures

QUICK = ("epochs=2", "width=2", "batch_size=16", "device=cpu")
KINDS = ("dark", "light")


@pytest.fixture
def pets(tmp_path) -> None:
    """A directory of dark and of light colour pictures."""
    for i, kind in enumerate(KINDS):
        write_pictures(tmp_path / "pets" / kind, random_pictures(40, 16, 16, 3, seed=i) // 3 + np.uint8(150 * i))


OF_PETS = ("dataset=folder", "dataset.path=pets", "dataset.image_size=16", "dataset.holdout=20")


def trained(gan, *words):
    ended = gan("classifier", *OF_PETS, *QUICK, *words)
    assert ended.code == 0, ended
    return ended.out


def test_it_says_how_often_it_is_right_and_what_it_wrote(gan, pets):
    out = trained(gan, "epochs=8")
    assert "2 classes, 60 images of 3 x 16 x 16 to learn from, 20 held out" in out
    assert "epoch 8 of 8: loss " in out
    found = yaml.safe_load(Path("classifiers/pets/classifier.yaml").read_text())
    share = found["about"]["heldout_accuracy"]
    assert share > 0.9
    assert f"right on {share:.3f} of 20 held-out images (always the most common class: 0." in out
    assert out.endswith("gan evaluate RUN extractor=classifier extractor.path=classifiers/pets\n")
    assert (found["name"], found["classes"], found["side"], found["channels"]) == ("pets", [*KINDS], 16, 3)
    assert sorted(path.name for path in Path("classifiers/pets").iterdir()) == [
        "classifier.yaml",
        "weights.safetensors",
    ]


def test_every_command_takes_it(gan, pets):
    trained(gan)
    run = (*SMALL, *OF_PETS, "loss=nonsaturating", "model=mlp", "model.width=4", "evaluate.every_steps=1")
    run += ("evaluate.count=8", "evaluate.w1_count=4", "extractor=classifier", "extractor.path=classifiers/pets")
    assert gan("train", *run, "run_dir=run").code == 0
    row = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert "quality/frechet_distance_pets" in row
    saved = yaml.safe_load(Path("run/config.yaml").read_text())
    assert saved["extractor"]["path"] == str(Path("classifiers/pets").resolve())
    words = ("extractor=classifier", "extractor.path=classifiers/pets", "device=cpu")
    ended = gan("evaluate", "run", *words, "count=10", "w1_count=4")
    assert "classifier_score_pets" in ended.out
    found = yaml.safe_load(Path("classifiers/pets/classifier.yaml").read_text())
    assert f"extractor: pets, weights' SHA-256 {found['sha256']}" in ended.out
    ended = gan("collapse", "run", *words, "batches=10", "max_size=4", "count=20")
    assert "classes found: " in ended.out
    edit = ("kind=edit", "kind.target=light", "kind.count=2", "kind.steps=2", "kind.rows=2")
    assert gan("explore", "run", *words, *edit).code == 0
    conv = ("model=dcgan", "model.width=4", "loss=nonsaturating")
    assert gan("train", *SMALL, *OF_PETS, *conv, "run_dir=conv").code == 0
    ended = gan("explore", "conv", *words, "kind=features", "kind.units=1", "kind.count=40")
    assert ended.code == 0, ended
    assert "extractor: pets, " in ended.out
    assert any(f"kind.target={kind}" in ended.out or f"indicate {kind}" in ended.out for kind in KINDS)
    assert gan("report", "run", "--extractor", "classifiers/pets", "--updates", "1", "--count", "8").code == 0


def test_rectangles_of_any_channels(gan, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = (rng.integers(0, 100, (80, 5, 16, 24)) + 150 * y[:, None, None, None]).astype(np.uint8)
    np.savez("x.npz", x=x, y=y)
    words = ("dataset=array", "dataset.path=x.npz", "dataset.holdout=20")
    ended = gan("classifier", *words, *QUICK, "out=mine")
    assert ended.code == 0, ended
    found = yaml.safe_load(Path("mine/classifier.yaml").read_text())
    assert (found["side"], found["channels"], found["classes"]) == ([16, 24], 5, ["0", "1"])
    extractor = TrainedClassifier("mine")
    extractor.load(torch.device("cpu"))
    assert extractor.resize == "to 16 x 24, bilinear, antialiased"
    same = torch.randn(3, 5, 16, 24)
    assert extractor(same).log_p.shape == (3, 2)
    assert gan("train", *SMALL, *words, "model.width=2", "run_dir=run").code == 0
    options = ("extractor=classifier", "extractor.path=mine", "count=9", "w1_count=8", "device=cpu")
    assert gan("evaluate", "run", *options).code == 0
    grey = gan("train", *SMALL, "model.width=2", "dataset.limit=30", "run_dir=grey")
    assert grey.code == 0
    line = gan("evaluate", "grey", *options).err
    assert line == "gan: extractor=mine: it reads images of 5 channels, and these have 1; extractor=pixels\n"


def test_both_doors(gan, pets):
    trained(gan, "out=a")
    found = gan_cli.classifier([*OF_PETS, *QUICK, "out=b"], progress=False)
    assert Path("a/weights.safetensors").read_bytes() == (found.path / "weights.safetensors").read_bytes()
    assert set(found.of_classes) == {*KINDS}
    x = (torch.arange(80) % 2).view(80, 1, 1, 1).expand(80, 1, 8, 8).float() * 1.8 - 0.9
    own = gan_cli.classifier([*QUICK, "out=own"], dataset=(x, torch.arange(80) % 2), progress=False)
    assert own.description.classes == ["0", "1"]
    scores = gan_cli.evaluate(x[:20], x, extractor=own.path, w1_count=4).scores
    assert "frechet_distance_own" in scores


def test_mistakes(gan, refused, run_of, pets):
    assert "samples are points" in refused("classifier", "dataset=ring", *QUICK)
    assert "batch_size=" in (line := refused("classifier", *OF_PETS, *QUICK[:-2], "batch_size=999"))
    assert "train.batch_size" not in line
    write_pictures("flat", random_pictures(4, 16, 16))
    flat = ("dataset=folder", "dataset.path=flat", "dataset.image_size=16", "batch_size=2", "device=cpu")
    assert "needs at least two classes, as one sub-folder each" in refused("classifier", *flat)
    trained(gan, "out=a")
    assert "out=a is not empty; choose another" in refused("classifier", *OF_PETS, *QUICK, "out=a")
    clothes = run_of("clothes")
    assert "needs a directory that gan classifier wrote" in refused("evaluate", clothes, "extractor=classifier")
    assert "cannot be read" in refused("evaluate", clothes, "extractor=classifier", "extractor.path=pets")
    words = ("extractor=classifier", "extractor.path=a")
    assert "does not know the classes of these data" in refused("explore", clothes, *words, "kind=edit")
    assert "no such option" in refused("report", clothes, "--extractor", "pets")


def test_a_damaged_classifier_is_refused(gan, pets):
    trained(gan, "out=a")
    weights, about = Path("a/weights.safetensors"), Path("a/classifier.yaml")
    content, text = weights.read_bytes(), about.read_text()
    cpu = torch.device("cpu")
    TrainedClassifier("a").load(cpu)
    weights.write_bytes(content[:-1] + b"\1")
    with pytest.raises(UserError, match="is damaged: its SHA-256 is"):
        TrainedClassifier("a").load(cpu)
    weights.write_bytes(content)
    about.write_text(text.replace("width: 2", "width: 3"))
    with pytest.raises(UserError, match=r"does not fit the classifier\.yaml beside it"):
        TrainedClassifier("a").load(cpu)
    for old, new in (("side: 16", "side: big"), ("name: a", "name: a/b"), ("channels: 3", "channels: 17")):
        about.write_text(text.replace(old, new))
        with pytest.raises(UserError, match="train it again with gan classifier"):
            TrainedClassifier("a").load(cpu)
    about.write_text("!!python/object:os.system {}")
    with pytest.raises(UserError, match="cannot be read"):
        TrainedClassifier("a").load(cpu)
