"""Every YAML composes, validates, builds and trains, found by glob."""

import itertools
from pathlib import Path

import pytest
import yaml
from PIL import Image

from gan_cli import build, config
from gan_cli.training import rundir
from gan_cli.training.session import Session
from tests.conftest import CONF, LOSSES, TINY
from tests.helpers import noise_data

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
CONSTRAINTS, MODELS, OPTIMIZERS, LATENTS, UPDATES = (
    [option for group, option in OPTIONS if group == name]
    for name in ("constraint", "model", "optimizer", "latent", "updates")
)
IMAGE = (1, 16, 16)


def train(settings: dict, path: Path, shape: tuple[int, ...]) -> None:
    plan, data = build.check(settings), noise_data(shape, 8)
    Session(plan, rundir.RunDirectory(path), data, plan.state(data)).train()


def first_comment(path: Path) -> str:
    lines = (line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    return next(lines)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_says_what_it_is(group, option):
    line = first_comment(CONF / group / f"{option}.yaml")
    assert line.startswith("# ")
    assert len(line) > 10


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_chooses_options_and_writes_no_other_groups_keys(loss):
    content = yaml.safe_load((CONF / "loss" / f"{loss}.yaml").read_text())
    assert set(content) == {"defaults", "loss"}
    assert all(key.startswith("override /") for entry in content["defaults"] for key in entry)


def test_the_defaults_are_the_papers(settings_of):
    settings = build.check(settings_of()).settings
    assert settings["optimizer"]["critic"] == {
        "_target_": "torch.optim.RMSprop",
        "lr": 5e-5,
        "alpha": 0.99,
        "eps": 1e-8,
        "momentum": 0.0,
    }
    assert settings["constraint"]["c"] == 0.01
    assert settings["train"]["batch_size"] == 64
    assert settings["updates"]["n_critic"] == 5
    assert settings["model"]["width"] == 64
    assert settings["latent"]["size"] == 100


def test_another_optimizer_leaves_nothing_of_the_losss_own(settings_of):
    assert settings_of("loss=wgan_gp", "optimizer=rmsprop")["optimizer"] == settings_of("loss=wgan")["optimizer"]


def test_precedence_is_command_line_then_experiment_then_loss(settings_of):
    from_loss = settings_of("loss=wgan")["optimizer"]["lr"]
    experiment = settings_of("experiment=quickstart")["optimizer"]["lr"]
    assert experiment != from_loss
    assert settings_of("experiment=quickstart", "optimizer.lr=3e-3")["optimizer"]["critic"]["lr"] == 3e-3


def test_what_suits_the_samples_follows_the_dataset(settings_of):
    images = build.check(settings_of("loss=wgan_gp")).settings
    points = build.check(settings_of("loss=wgan_gp", "model=toy_mlp", "dataset=ring")).settings
    assert (images["constraint"]["weight"], points["constraint"]["weight"]) == (10.0, 0.1)
    assert (images["latent"]["size"], points["latent"]["size"]) == (100, 2)


def test_auto_norm_follows_the_constraint(settings_of):
    norms = {
        loss: build.check(settings_of(f"loss={loss}", *TINY)).settings["model"]["critic"]["norm"] for loss in LOSSES
    }
    assert norms["wgan"] == "batch"
    assert norms["wgan_gp"] == "none"


@pytest.mark.parametrize(
    ("loss", "constraint", "model", "optimizer"),
    [
        *itertools.product(LOSSES, CONSTRAINTS, MODELS, ["rmsprop"]),
        *itertools.product(LOSSES, ["none"], ["toy_mlp"], OPTIMIZERS),
    ],
)
@pytest.mark.parametrize("shape", [IMAGE, (3, 12, 12), (2,)], ids=["grey", "rgb", "points"])
def test_every_pair_trains_two_steps_or_is_refused_in_one_line(
    settings_of, tmp_path, loss, constraint, model, optimizer, shape
):
    dataset = ["dataset=ring"] if len(shape) == 1 else [f"dataset.image_size={shape[1]}"]
    settings = settings_of(
        f"loss={loss}", f"constraint={constraint}", f"model={model}", f"optimizer={optimizer}", *dataset, *TINY,
        "train.steps=2", "log.every_steps=1", "updates.n_critic=2",
    )  # fmt: skip
    convolutional = "dcgan" in (settings["model"]["critic"]["_target_"] + settings["model"]["generator"]["_target_"])
    bounded = settings["model"]["generator"].get("output") == "sigmoid"
    if len(shape) == 1 and (convolutional or bounded):
        with pytest.raises(build.UserError, match="points") as refused:
            build.check(settings)
        assert "\n" not in str(refused.value)
        return
    train(settings, tmp_path, shape)
    assert rundir.read_status(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(("latent", "updates"), list(itertools.product(LATENTS, UPDATES)))
def test_every_prior_and_update_rule(settings_of, tmp_path, latent, updates):
    settings = settings_of(
        "model=toy_mlp", "dataset=ring", f"latent={latent}", f"updates={updates}", *TINY, "train.steps=2"
    )
    train(settings, tmp_path, (2,))
    assert rundir.read_status(tmp_path)["step"] == 2


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_passes_the_static_check_and_builds(settings_of, tmp_path, group, option):
    overrides = [f"{group}={option}"]
    if group == "runtime":
        overrides += ["runtime.device=cpu"]
    if group == "dataset" and ".synthetic." in (CONF / group / f"{option}.yaml").read_text():
        overrides += ["model=toy_mlp"]
    if option == "folder":
        Image.new("L", (40, 30)).save(tmp_path / "grey.png")
        overrides += [f"dataset.path={tmp_path}"]
    settings = settings_of(*overrides)
    assert config.validate_saved(settings, []) == settings
    build.check(settings)
