"""Every YAML says what it is, composes, passes the static check and builds, found by glob."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from gan_cli.config.arguments import parse
from gan_cli.config.compose import Composer
from gan_cli.config.tree import chosen_groups
from gan_cli.config.validate import validate, validate_saved
from gan_cli.session import build, single_parts
from tests.conftest import CONF, LOSSES, companions
from tests.data.small_sets import write_table, write_tagged

TABLES = {"array": "numpy", "hdf5": "h5py", "huggingface": "datasets"}  # and what reads them
OF_A_RUN = chosen_groups(CONF / "train.yaml")
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]


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


def test_the_defaults_are_the_papers(config_of):
    plan = build.check(config_of())
    critic = plan.config.optimizer.critic
    assert critic.target == "torch.optim.RMSprop"
    assert critic.arguments == {"lr": 5e-5, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0}
    assert plan.config.constraint.arguments["c"] == 0.01
    assert plan.config.train.batch_size == 64
    assert plan.config.updates.arguments["n_critic"] == 5
    assert plan.config.model.width == 64
    assert plan.config.latent.arguments["size"] == 100


def test_another_optimizer_leaves_nothing_of_the_losss_own(config_of):
    assert config_of("loss=wgan_gp", "optimizer=rmsprop").optimizer == config_of("loss=wgan").optimizer


def test_precedence_is_command_line_then_experiment_then_loss(config_of):
    def lr(*overrides):
        optimizer = config_of(*overrides).optimizer
        assert optimizer.critic.arguments["lr"] == optimizer.lr
        return optimizer.lr

    assert lr("experiment=quickstart") != lr("loss=wgan")
    assert lr("experiment=quickstart", "optimizer.lr=3e-3") == 3e-3


def test_what_suits_the_samples_follows_the_dataset(config_of):
    images = build.check(config_of("loss=wgan_gp")).config
    points = build.check(config_of("loss=wgan_gp", "model=toy_mlp", "dataset=ring")).config
    assert [config.constraint.arguments["weight"] for config in (images, points)] == [10.0, 0.1]
    assert [config.latent.arguments["size"] for config in (images, points)] == [100, 2]


def test_auto_norm_follows_the_constraint(config_of):
    losses = ("wgan", "wgan_gp")
    norms = {loss: build.check(config_of(f"loss={loss}")).config.model.critic.arguments["norm"] for loss in losses}
    assert norms == {"wgan": "batch", "wgan_gp": "none"}


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "extractor"])
def test_every_extractor_passes_the_check_and_builds(config_of, option):
    block = yaml.safe_load((CONF / "extractor" / f"{option}.yaml").read_text())
    config = config_of(f"extractor={option}")
    assert config.plain()["extractor"] == block
    assert type(single_parts.extractor(config)).__name__ == config.extractor.name


@pytest.fixture(scope="module")
def composer():
    return Composer.of("train", parse([]))


@pytest.mark.parametrize(("group", "option"), [(group, option) for group, option in OPTIONS if group in OF_A_RUN])
def test_every_option_passes_the_check_and_builds(composer, tmp_path, group, option):
    overrides = [f"{group}={option}", "runtime.device=cpu", *companions(group, option)]
    if group == "extractor":
        overrides += ["evaluate.every_steps=1"]
    if group == "dataset" and ".synthetic." in (CONF / group / f"{option}.yaml").read_text():
        overrides += ["model=toy_mlp"]
    if option in ("tag", "tagged_folder", "emoji"):
        overrides += [*write_tagged(tmp_path), "dataset.min_count=1"]
    if option in ("folder", "pairs", "translate"):
        Image.new("L", (40, 30)).save(tmp_path / "grey.png")
        overrides += [f"dataset.path={tmp_path}"]
    if option in TABLES:
        pytest.importorskip(TABLES[option], reason=f'pip install "gan_cli[{option}]"')
        overrides += [f"dataset.path={write_table(tmp_path, option)}"]
    config = validate("train", composer.compose(overrides), overrides)
    plain = config.plain()
    assert group in ("experiment", "sweep") or group in plain
    assert json.loads(json.dumps(plain)) == plain
    assert validate_saved(plain).plain() == plain
    build.check(config)
