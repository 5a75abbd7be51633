"""A run that begins with another's weights, and layers that stay as they begin."""

import json

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.helpers import noise_data

RUN = ("loss=wgan", "dataset.image_size=16", "dataset.limit=200", "model.width=4", "train.batch_size=8")
SHAPE = (1, 16, 16)


@pytest.fixture
def first(gan, tmp_path):
    path = tmp_path / "first"
    gan("train", *RUN, "train.steps=3", "train.ema_halflife_images=50", f"run_dir={path}")
    return path


def saved(path):
    return checkpoint.load(path / "checkpoints", pytest.fail).tensors


def state_of(config_of, *overrides):
    plan = build.check(config_of(*RUN, *overrides), SHAPE)
    return plan.state(noise_data(SHAPE, 8)), plan


@pytest.mark.parametrize(("weights", "prefix"), [("auto", "ema/"), ("ema", "ema/"), ("raw", "game/generator.")])
def test_the_weights_are_those_of_the_other_run_and_the_step_is_not(config_of, first, weights, prefix):
    state, plan = state_of(config_of, f"init_from={first}", f"init_weights={weights}", "seed=9")
    theirs = saved(first)
    for name, tensor in state.game.generator.state_dict().items():
        assert torch.equal(tensor, theirs[prefix + name]), name
    for name, tensor in state.game.critic.state_dict().items():
        assert torch.equal(tensor, theirs[f"game/critic.{name}"]), name
    assert state.step == state.real_batches == 0
    assert not any(optimizer.state for optimizer in state.optimizers.values())
    assert "tensors" in plan.notes[0]
    assert "newly drawn" not in plan.notes[0]


def test_what_does_not_match_is_drawn_anew_and_named(config_of, first):
    state, plan = state_of(config_of, f"init_from={first}", "latent.size=7")
    assert state.game.generator.project.in_features == 7
    assert plan.notes[0].endswith("23 of 24 tensors; newly drawn: generator.project.weight")


def test_a_run_begins_so_and_resumes_without_the_other(gan, first, tmp_path):
    path = tmp_path / "second"
    words = (*RUN, f"init_from={first}", "seed=5", f"run_dir={path}")
    gan("train", *words, "train.steps=2")
    assert f"started from the weights of {first} at step 3: 24 of 24 tensors" in (path / "train.log").read_text()
    for file in sorted(first.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    gan("resume", str(path), "train.steps=4")
    assert json.loads((path / "run.json").read_text())["step"] == 4


def test_frozen_layers_stay_and_are_not_clipped(config_of):
    frozen = ["critic.trunk.layers.0", "generator.project"]
    state, plan = state_of(config_of, f"freeze=[{','.join(frozen)}]")
    before = {name: p.clone() for name, p in state.game.named_parameters()}
    run = Eager(plan.parts.updates, noise_data(SHAPE, 8).train, 8, 0, plan.device)
    run(state)
    for name, p in state.game.named_parameters():
        if name != "critic.score.bias":  # cancels in the difference of means
            assert torch.equal(p, before[name]) == name.startswith(tuple(frozen)), name


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("freeze=[critic.trunk.layer]",), "freeze=[critic.trunk.layer]: there is no such layer; did you mean critic."),
        (("freeze=[critic]",), "freeze=[critic]: leaves no weights of the critic to train; name fewer layers"),
        (("init_weights=ema",), "init_weights=ema: no effect without a run; add init_from=runs/NAME"),
        (("init_from=nowhere",), "nowhere"),
    ],
)
def test_mistakes(refused, overrides, expected):
    assert expected in refused("train", *RUN, *overrides)


def test_another_model_and_another_average(config_of, first, gan, tmp_path):
    with pytest.raises(UserError, match=r"none of its weights has the name and shape of a weight of this run"):
        state_of(config_of, f"init_from={first}", "model=toy_mlp")
    raw = tmp_path / "raw"
    gan("train", *RUN, "train.steps=1", f"run_dir={raw}")
    with pytest.raises(UserError, match=r"init_weights=ema: .* kept no moving average"):
        state_of(config_of, f"init_from={raw}", "init_weights=ema")
