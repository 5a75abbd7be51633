"""`gan train --from RUN`: the settings of a run come first, and everything else is a command line as usual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from torch import nn

import gan_cli
from gan_cli.errors import UserError
from gan_cli.sweeps import process
from tests import children

IMAGES = ("runtime=cpu", "runtime.threads=1", "train.batch_size=8", "train.steps=1", "log.sample_count=4")
TYPED = (*IMAGES, "model.width=4", "optimizer.lr=1e-3", "dataset.image_size=28", "loss=wgan", "model=dcgan")


def config(run):
    return yaml.safe_load(Path(run, "config.yaml").read_text())


@pytest.fixture
def first(gan):
    assert gan("train", *TYPED, "run_dir=first").code == 0
    return Path("first")


def test_with_nothing_else_it_is_the_same_run_again(gan, first):
    ended = gan("train", "--from", "first", "run_dir=again")
    assert ended.code == 0, ended
    assert Path("again/metrics.jsonl").read_bytes() == (first / "metrics.jsonl").read_bytes()
    assert config("again") == config("first") | {"run_dir": "again"}
    old, new = (json.loads(Path(run, "run.json").read_text()) for run in ("first", "again"))
    assert new["from"] == {"run": str(first.resolve()), "overrides": ["run_dir=again"]}
    assert "from" not in old
    assert new["choices"] == old["choices"]
    assert f"with the settings of {first.resolve()}, changed by run_dir=again" in ended.err
    assert "from_run.yaml" not in ConfigStore.instance().repo  # nothing stays
    assert "from_run.yaml" not in ConfigStore.instance().repo.get("loss", {})


def test_parts_are_swapped_as_in_any_command_line(gan, first):
    assert gan("train", "loss=wgan_gp", "--from", "first", "run_dir=other", "constraint.every=2").code == 0
    direct = (*TYPED[:-2], "loss=wgan_gp", "constraint.every=2", "run_dir=direct")
    assert gan("train", *(word for word in direct if not word.startswith("optimizer"))).code == 0
    # the loss chooses its paper's optimizer, and no norm in the critic follows from its penalty
    assert config("other") == config("direct") | {"run_dir": "other"}
    assert json.loads(Path("other/run.json").read_text())["choices"]["constraint"] == "gradient_penalty"


def test_a_shared_key_still_moves_both_players_and_what_was_typed_stays(gan, first):
    assert gan("train", "--from", "first", "optimizer.lr=2e-3", "model.width=6", "run_dir=a").code == 0
    found = config("a")
    assert [found["optimizer"][player]["lr"] for player in ("generator", "critic")] == [2e-3, 2e-3]
    assert [found["model"][player]["width"] for player in ("generator", "critic")] == [6, 6]
    typed = ("optimizer.critic.lr=1e-4", "model.critic.norm=none", "latent.size=7", "train.ema_halflife_images=8")
    assert gan("train", "--from", "first", *typed, "run_dir=b").code == 0
    assert gan("train", "--from", "b", "optimizer.lr=5e-3", "run_dir=c").code == 0
    found = config("c")
    assert found["optimizer"]["critic"]["lr"] == 1e-4
    assert found["optimizer"]["generator"]["lr"] == 5e-3
    assert (found["model"]["critic"]["norm"], found["latent"]["size"]) == ("none", 7)
    assert found["train"]["ema_halflife_images"] == 8


def test_points_have_their_own_sizes_again(gan, first):
    assert gan("train", "--from", "first", "dataset=ring", "model=toy_mlp", "run_dir=points").code == 0
    assert config("points")["latent"]["size"] == 2  # auto, not the 100 of the images


def test_a_key_that_the_run_did_not_know_has_its_default(gan, first):
    old = config(first)
    del old["dataset"]["flip"], old["schedule"], old["model"]["critic"]["minibatch_kernels"]
    (first / "config.yaml").write_text(yaml.safe_dump(old))
    assert gan("train", "--from", "first", "dataset.flip=true", "run_dir=new").code == 0
    assert config("new")["dataset"]["flip"] is True
    assert config("new")["model"]["critic"]["minibatch_kernels"] == 0


def test_a_run_that_knows_no_choices(gan, first):
    (first / "run.json").unlink()
    assert gan("train", "--from", "first", "loss=hinge", "run_dir=new").code == 0
    assert config("new")["model"] == config("first")["model"]
    assert json.loads(Path("new/run.json").read_text())["choices"]["loss"] == "hinge"


def test_a_sweep(gan, first, monkeypatch):
    monkeypatch.setattr(process, "start", children.gan)
    ended = gan("train", "-m", "seed=1,2", "--from", "first", "sweep.name=seeds")
    assert ended.code == 0, ended
    runs = sorted(Path("runs/seeds").glob("*/config.yaml"))
    assert [config(path.parent)["seed"] for path in runs] == [1, 2]
    assert {config(path.parent)["model"]["width"] for path in runs} == {4}


def test_both_doors_and_networks_of_ones_own(gan, first):
    assert gan("train", "--from", "first", "loss=hinge", "run_dir=cli").code == 0
    run = gan_cli.train(["loss=hinge", "run_dir=py"], from_run=gan_cli.load("first"), progress=False)
    assert (run.path / "metrics.jsonl").read_bytes() == Path("cli/metrics.jsonl").read_bytes()
    assert gan_cli.compose(["loss=hinge"], from_run="first").model.width == 4
    flat = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
    own = gan_cli.train(["run_dir=own"], from_run="first", critic=flat, progress=False)
    own = gan_cli.train(["run_dir=again"], from_run=own, critic=nn.Sequential(nn.Flatten(), nn.Linear(784, 1)))
    assert own.critic(own.sample(2)).shape == (2,)


def test_mistakes(gan, first, refused, tmp_path):
    assert refused("train", "--from", "nowhere").startswith("--from nowhere: no such run")
    assert "gan resume trains no new run; gan train --from first does" in refused("resume", "first", "--from", "first")
    assert "leave out --config-name" in refused("train", "--from", "first", "--config-name", "train")
    assert "did you mean model.width=5?" in refused("train", "--from", "first", "model.widht=5")
    with pytest.raises(UserError, match="no such run"):
        gan_cli.train(from_run="nowhere")
    text = (first / "config.yaml").read_text().replace("gan_cli.losses.wasserstein.Wasserstein", "os.system")
    (first / "config.yaml").write_text(text)
    assert "allow_targets=[os]" in refused("train", "--from", "first")
