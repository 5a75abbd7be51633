import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.inputs.noise import InstanceNoise
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import TINY
from tests.helpers import Noise

X = torch.linspace(-1, 1, 4000).view(1000, 4)


@pytest.mark.parametrize(("step", "std"), [(0, 0.4), (25, 0.3), (50, 0.2), (99, 0.004), (100, 0.0), (1000, 0.0)])
def test_linear_annealing_reaches_zero_and_stays_there(step, std):
    noise = InstanceNoise(0.4, "linear", until_step=100)
    assert_close(noise.std_at(step), std)
    added = noise(X, "input.real", Draws("cpu", 0, step)) - X
    assert_close(added.std().item(), std, rtol=0.05, atol=1e-7)


def test_constant_noise_ignores_the_step():
    noise = InstanceNoise(0.4, "constant", until_step=100)
    assert_close((noise(X, "input.real", Draws("cpu", 0, 10**6)) - X).std().item(), 0.4, rtol=0.05, atol=0)


def test_real_and_fake_get_independent_noise_and_the_gradient_passes():
    x = torch.zeros(1000, 4, requires_grad=True)
    draws = Draws("cpu", 0, 0)
    real, fake = (InstanceNoise(1.0)(x, f"input.{kind}", draws) for kind in ("real", "fake"))
    correlation = torch.corrcoef(torch.stack([real.flatten(), fake.flatten()]))[0, 1].item()
    assert abs(correlation) < 0.05
    (gradient,) = torch.autograd.grad(fake.sum(), x)
    assert_close(gradient, torch.ones_like(x))


@pytest.mark.parametrize("option", ["noise", "diffaugment"])
def test_z_does_not_move_with_the_input(config_of, option):
    # The same weights and the same z, so the fakes before the input are the same samples.
    def fakes(*overrides):
        plan = build.check(config_of("dataset.image_size=16", *TINY, *overrides))
        game = plan.state_for((1, 16, 16), 0).game
        draws = Draws("cpu", 0, 0)
        game.shown(Noise((1, 16, 16), 8).batch(*Noise((1, 16, 16), 8).draw(0)), "real", draws)
        return game.fake(8, None, draws).x

    assert torch.equal(fakes(), fakes(f"input={option}"))


def test_noise_lasts_as_long_as_the_run_unless_asked_otherwise(config_of):
    assert config_of("input=noise", "train.steps=77").input.arguments["until_step"] == 77
    assert config_of("input=noise", "train.steps=77", "input.until_step=5").input.arguments["until_step"] == 5


@pytest.mark.parametrize("option", ["noise", "diffaugment"])
def test_the_input_reaches_both_kinds_of_samples_in_training(config_of, monkeypatch, option):
    plan = build.check(config_of(f"input={option}", "dataset.image_size=16", *TINY))
    state = plan.state_for((1, 16, 16), 0)
    seen = []
    cls = type(state.game.input)
    original = cls.__call__
    monkeypatch.setattr(cls, "__call__", lambda self, x, s, d: seen.append(s) or original(self, x, s, d))
    Eager(plan.parts.updates, Noise((1, 16, 16), 8), 8, 0, torch.device("cpu"))(state)
    assert seen == ["input.fake", "input.real"] * 5 + ["input.fake"]


def test_diffaugment_on_points_is_refused_in_one_line(config_of):
    with pytest.raises(UserError, match=r"augments images, but the data are 2-D points: use input=none") as refused:
        build.check(config_of("input=diffaugment", "model=toy_mlp", "dataset=ring"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("policy", [[], ["color", "color"]])
def test_an_empty_or_repeated_policy_is_refused(config_of, policy):
    with pytest.raises(UserError, match="each at most once"):
        build.check(config_of("input=diffaugment", f"input.policy={policy}".replace("'", "")))
