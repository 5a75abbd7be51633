"""PacGAN's packs: what the critic reads, and what cannot be packed."""

import json
from pathlib import Path

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.inputs.pack import Pack
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.helpers import noise_data

POINTS = ("model=toy_mlp", "dataset=ring", "input=pack", "input.pack=3", "train.batch_size=12")


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_a_pack_holds_neighbours_along_the_channels(shape):
    x = torch.randn(7, *shape)
    packed = Pack(3)(x, "s", Draws("cpu", 0, 0))
    assert packed.shape == (2, *Pack(3).critic_shape(shape))
    assert torch.equal(packed[1, shape[0] : 2 * shape[0]], x[4])
    assert torch.equal(Pack(2).alone(x)[:, shape[0] :], x)
    assert torch.equal(Pack(2)(x[:1], "s", Draws("cpu", 0, 0)), Pack(2).alone(x[:1]))


def test_a_run_of_packs(config_of):
    plan = build.check(config_of("loss=wgan_gp", *POINTS), (2,))
    state = plan.state(noise_data((2,), 12))
    assert state.game.critic.trunk.layers[0].in_features == 6
    logs = Eager(plan.parts.updates, noise_data((2,), 12).train, 12, 0, plan.device)(state)
    assert all(bool(value.isfinite()) for log in logs for value in log.values())
    draws = Draws("cpu", 0, 0)
    assert len(state.game.ask(*state.game.shown(state.game.fake(12, None, draws), "fake", draws)).score) == 4


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("train.batch_size=10",), "input.pack=3: does not divide 10 samples of a batch; train.batch_size=9"),
        (("train.accumulate=2", "train.batch_size=8"), "input.pack=3: does not divide 4 samples"),
        (("condition=concat",), "condition=Concat needs the class of each: input=none"),
        (("loss=infogan", "latent=infogan"), "reads the codes of each: input=none"),
        (("loss=ebgan",), "reconstructs each: input=none"),
    ],
)
def test_what_cannot_be_packed(config_of, overrides, expected):
    with pytest.raises(UserError) as caught:
        build.check(config_of("loss=wgan_gp", *POINTS, *overrides), (2,), 3)
    assert expected in str(caught.value)


def test_a_whole_run_of_packs(gan):
    words = ("loss=wgan_gp", "model.width=4", "runtime=cpu", "runtime.threads=1", "train.steps=2", "log.every_steps=1")
    ended = gan("train", *POINTS, *words, "run_dir=run")
    assert ended.code == 0, ended
    row = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert {"critic/lipschitz", "critic/wasserstein_heldout"} <= row.keys()
    assert gan("evaluate", "run", "count=20", "w1_count=6").code == 0
    assert gan("report", "run", "--updates", "1", "--count", "10").code == 0
