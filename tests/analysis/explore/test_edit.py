"""`gan explore kind=edit` on small runs, and on a generator whose z is steered by one number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_cli.analysis.reals import open_singly
from gan_cli.data.images import FashionMNIST10k
from gan_cli.training.game import Game

FEW = ("kind=edit", "kind.count=8", "kind.steps=4", "kind.rows=2", "kind.columns=3")


def steer(monkeypatch):
    """Let the first number of z fade a trouser into a bag."""
    data = open_singly(FashionMNIST10k(28), torch.device("cpu"))
    batch = data.train.at(torch.arange(200))
    trouser, bag = (batch.x[batch.y == number][0] for number in (1, 8))

    def generate(self, z, y=None, network=None, source=None):
        share = (0.15 * z[:, 0]).sigmoid()[:, None, None, None]
        return torch.lerp(trouser.to(z.device), bag.to(z.device), share)

    monkeypatch.setattr(Game, "generate", generate)


def test_what_can_be_steered_is(explore, run_of, monkeypatch):
    run = run_of("clothes")
    steer(monkeypatch)
    seen = explore(
        run,
        "kind=edit",
        "device=cpu",  # the latents that it starts from are drawn where it computes
        "kind.target=bag",
        "kind.count=16",
        "kind.steps=10",
        "kind.stay=false",
        "kind.step_size=0.2",
        "kind.length=2",
        "kind.rows=2",
    )
    assert [path.name.endswith(end) for path, end in zip(seen.files, (".png", "_direction.png", ".json"), strict=True)]
    gradient, direction = seen.json["gradient"], seen.json["direction"]
    assert seen.json["target"] == "Bag"
    assert gradient["share_before"] < 0.8 < gradient["share_changed"] == gradient["share_after"] == 1
    assert direction["share_after"] == 1
    assert direction["shares"][0] == direction["share_before"] < 1
    assert gradient["share_by_neighbours"][1] > gradient["share_by_neighbours"][0]
    d = np.array(direction["unit_vector"])
    assert d[0] == pytest.approx(1, abs=1e-5)  # nothing else has a gradient
    assert 0 < direction["entanglement"] < 1
    assert len(direction["others_moved_deviations"]) == 9
    assert "along the mean direction of these edits:" in seen.out


def test_pictures_have_a_row_a_sample(explore, run_of):
    seen = explore(run_of("memorised"), *FEW)
    assert seen.picture(seen.files[0].name[-20:]).shape[0] == 14 + 2 + 2 * 58  # 28 pixels are shown as 56


def test_classes_codes_and_the_same_again(explore, run_of, tmp_path):
    run = run_of("classes")
    seen = explore(run, *FEW, "kind.target=0", "kind.y=3")
    assert seen.json["target"] == "T-shirt/top"
    again = explore(run, *FEW, "kind.target=0", "kind.y=3", f"out={tmp_path}/x", "batch_size=3")
    assert again.json["gradient"]["share_after"] == seen.json["gradient"]["share_after"]
    assert again.json["gradient"]["mean_length"] == pytest.approx(seen.json["gradient"]["mean_length"], rel=1e-2)


def test_mistakes(refused, run_of):
    run = run_of("clothes")
    assert refused("explore", run, "kind=edit", "kind.target=hat").startswith(
        "kind.target=hat: there is no class hat; classes: 0 T-s"
    )
    assert "kind.confidence=1" in refused("explore", run, "kind=edit", "kind.confidence=1")
    line = refused("explore", run, "kind=edit", "extractor=pixels")
    assert line.startswith("kind=edit: extractor=pixels does not know the classes of these data")
