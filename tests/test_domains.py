"""The scripts that make two domains and measure translations between them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
TRAIN = ("train", "train.steps=1", "train.batch_size=4", "dataset.image_size=32", "model.width=4", "runtime=cpu")
TRAIN += ("runtime.threads=1", "log.sample_count=2")


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import make_domains
    import measure_translation

    monkeypatch.setattr(make_domains, "HELD_OUT", 30)
    monkeypatch.setattr(measure_translation, "EPOCHS", 1)

    def run(script, *words):
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        sys.modules[script].main()

    return run


def pixels(root):
    """Pictures by their names, whatever folder they are in."""
    return {path.name: np.asarray(Image.open(path)) for path in root.rglob("*.png")}


def test_the_truth_is_kept_apart_and_no_image_is_in_two_domains(scripts, tmp_path):
    scripts("make_domains", tmp_path, "--limit", 40)
    pairs, tested = pixels(tmp_path / "edges" / "train"), pixels(tmp_path / "edges" / "test")
    clothes, turned = pixels(tmp_path / "clothes"), pixels(tmp_path / "turned")
    assert [len(found) for found in (pairs, tested, clothes, turned)] == [40, 30, 20, 20]
    right, wrong = pixels(tmp_path / "test" / "turned"), pixels(tmp_path / "test" / "clothes")
    assert {name: (255 - np.rot90(image)).tobytes() for name, image in wrong.items()} == {
        name: image.tobytes() for name, image in right.items()
    }
    upright = [np.rot90(255 - image, -1) for image in turned.values()]
    inverted = [255 - image for image in pixels(tmp_path / "inverted").values()]
    assert {image.tobytes() for image in inverted} == {image.tobytes() for image in upright}
    assert all(np.array_equal(255 - x, wrong[name]) for name, x in pixels(tmp_path / "test" / "inverted").items())
    assert len({image.tobytes() for image in (*clothes.values(), *upright, *wrong.values())}) == 20 + 20 + 30
    outline, image = tested["00000.png"][:, :32], tested["00000.png"][:, 32:]
    assert np.array_equal(image, wrong["00000.png"])
    assert set(np.unique(outline)) == {0, 255}


def test_both_tasks_are_measured(scripts, gan, capsys, tmp_path):
    scripts("make_domains", tmp_path, "--limit", 300)
    pairs = ("task=translate", "dataset.path=edges/train", "model.critic.halvings=1")
    domains = ("task=cycle", "dataset=folder", "dataset.path=clothes", "dataset_b=folder", "dataset_b.path=turned")
    domains += ("dataset_b.image_size=32", "model.generator.blocks=1", "model.critic.halvings=1")
    for what, words in (("pairs", pairs), ("turned", domains)):
        for seed in (0, 1):
            assert gan(*TRAIN, *words, f"seed={seed}", f"run_dir=runs/{what}/{seed}").code == 0
        scripts("measure_translation", what, tmp_path, f"ours=runs/{what}", "--picture", f"{what}.png")
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith("ours  ")
        assert line.count(" to ") == 3  # of two runs, the smallest and the largest of three measures
    assert Image.open(tmp_path / "pairs.png").size == (12 * 66 + 2, 3 * 66 + 2)


def test_measures_of_known_differences(scripts):
    from measure_translation import compared

    found = compared(torch.full((2, 1, 4, 4), 0.2), torch.zeros(2, 1, 4, 4))  # 0.1 of grey values in [0, 1]
    assert found == {"l1": pytest.approx(0.1), "psnr": pytest.approx(20.0)}
