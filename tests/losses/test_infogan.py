"""The mutual-information bound against what it must be, and who trains Q."""

import copy
import math

import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.latents.infogan import InfoGAN as Codes
from gan_cli.latents.prior import Normal
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.infogan import InfoGAN
from gan_cli.losses.minimax import Minimax, NonSaturating
from gan_cli.session import build
from tests.helpers import output


def fake(heads, c):
    score = torch.zeros(len(c), requires_grad=True)
    return CriticOutput(score, score[:, None], heads, score[:, None], None, c)


def information(loss, heads, c):
    return loss.estimates(output(0.0), fake(heads, c))["mutual_information"]


def test_a_perfect_q_reaches_the_entropy_of_a_categorical_code():
    c = torch.eye(10)
    assert_close(information(InfoGAN(), {"code0_categorical": 1000 * c}, c), torch.tensor(math.log(10)))
    # one that knows nothing has no information, and a wrong one is charged for it
    assert_close(information(InfoGAN(), {"code0_categorical": torch.zeros(10, 10)}, c), torch.tensor(0.0))
    assert information(InfoGAN(), {"code0_categorical": -c}, c) < 0


def test_a_gaussian_q_by_hand():
    # standard deviation 1: log 2 - log(2 pi) / 2 - (c - mean)^2 / 2 for each number
    c, mean = torch.tensor([[0.5, -1.0], [0.0, 1.0]]), torch.tensor([[0.5, 0.0], [2.0, 1.0]])
    constant = math.log(2) - 0.5 * math.log(2 * math.pi)
    expected = torch.tensor(2 * constant - (1 / 2 + 4 / 2) / 2)
    assert_close(information(InfoGAN(std="fixed"), {"code0_uniform": mean}, c), expected)
    learned = torch.cat([mean, torch.zeros(2, 2)], dim=1)
    assert_close(information(InfoGAN(std="learned"), {"code0_uniform": learned}, c), expected)


def test_the_best_gaussian_that_ignores_the_sample_stays_below_zero():
    # Q = N(0, 1/3), the moments of the code: L_I = log 2 - log(2 pi e / 3) / 2 = -0.176, the price of a wrong shape
    c = torch.linspace(-1, 1, 20001)[:, None]
    log_std = 5 * math.atanh(-0.5 * math.log(3) / 5)  # before squashing
    head = torch.tensor([[0.0, log_std]]).expand(len(c), 2)
    expected = math.log(2) - 0.5 * math.log(2 * math.pi * math.e / 3)
    assert_close(information(InfoGAN(), {"code0_uniform": head}, c), torch.tensor(expected), atol=1e-3, rtol=0)


def test_codes_are_matched_with_their_heads_by_order_and_size():
    latent = Codes(size=3, categorical=(4, 2), continuous=3)
    loss = InfoGAN()
    assert loss.heads(latent) == {"code0_categorical": 4, "code1_categorical": 2, "code2_uniform": 6}
    assert InfoGAN(std="fixed").heads(latent)["code2_uniform"] == 3
    first, second, numbers = torch.eye(4), torch.eye(2).repeat(2, 1), torch.rand(4, 3)
    heads = {
        "code0_categorical": 1000 * first,
        "code1_categorical": 1000 * second,
        "code2_uniform": torch.cat([numbers, torch.zeros(4, 3)], dim=1),
        "class": torch.randn(4, 7),  # a condition's, which is no code
    }
    curves = loss.estimates(output(0.0), fake(heads, torch.cat([first, second, numbers], dim=1)))
    bounds = {name.removeprefix("mutual_information_"): v for name, v in curves.items() if "_code" in name}
    numbers_bound = 3 * (math.log(2) - 0.5 * math.log(2 * math.pi))
    expected = {"code0_categorical": math.log(4), "code1_categorical": math.log(2), "code2_uniform": numbers_bound}
    assert_close(bounds, {name: torch.tensor(value) for name, value in expected.items()})
    assert_close(curves["mutual_information"], torch.tensor(sum(expected.values())))


@pytest.mark.parametrize(("game", "base"), [("minimax", Minimax()), ("nonsaturating", NonSaturating())])
def test_both_players_take_the_weighted_information_off_their_game(game, base):
    loss = InfoGAN(weight=0.7, continuous_weight=0.3, game=game)
    c = torch.cat([torch.eye(3), torch.rand(3, 1)], dim=1)
    heads = {"code0_categorical": torch.randn(3, 3), "code1_uniform": torch.randn(3, 2)}
    on_fake, on_real = fake(heads, c), output(0.3, -1.0, 2.0)
    curves = loss.estimates(on_real, on_fake)
    parts = [curves[f"mutual_information_{name}"] for name in heads]
    weighted = 0.7 * parts[0] + 0.3 * parts[1]
    assert_close(loss.critic(on_real, on_fake), base.critic(on_real, on_fake) - weighted)
    assert_close(loss.generator(on_fake, None), base.generator(on_fake, None) - weighted)
    assert_close(curves["js_estimate"], base.estimates(on_real, on_fake)["js_estimate"])


@pytest.mark.parametrize("value", [-1e4, 1e4])
@pytest.mark.parametrize("std", ["learned", "fixed"])
def test_finite_at_extreme_answers(value, std):
    c = torch.cat([torch.eye(2), torch.ones(2, 1)], dim=1)
    width = 2 if std == "learned" else 1
    heads = {
        "code0_categorical": torch.tensor([[value, 0.0], [0.0, value]], requires_grad=True),
        "code1_uniform": torch.full((2, width), value, requires_grad=True),
    }
    on_fake = fake(heads, c)._replace(score=torch.full((2,), value, requires_grad=True))
    objective = InfoGAN(std=std).generator(on_fake, None)
    gradients = torch.autograd.grad(objective, [on_fake.score, *heads.values()])
    assert objective.isfinite()
    assert all(g.isfinite().all() for g in gradients)


def test_a_prior_without_codes_is_refused_in_one_line(config_of):
    with pytest.raises(ValueError, match="latent=infogan"):
        InfoGAN().heads(Normal())
    with pytest.raises(UserError, match="latent=infogan") as refused:
        build.check(config_of("loss=infogan", "latent=normal"))
    assert "\n" not in str(refused.value)


def test_q_moves_with_the_generator_and_nothing_clips_it(config_of):
    config = config_of("loss=infogan", "constraint=weight_clip", "model.width=4", "latent.size=6")
    plan = build.check(config, (1, 16, 16))
    state = plan.state_for((1, 16, 16), 0)
    players = state.game.players()
    q = {name for name in players["generator"] if name.startswith("critic.")}
    assert q == {
        f"critic.heads.{code}.{p}" for code in ("code0_categorical", "code1_uniform") for p in ("weight", "bias")
    }
    assert not any("heads" in name for name in players["critic"])
    assert not any("heads" in name for name in state.projected_names)


def test_copies_and_loaded_states_find_the_codes_again(config_of):
    loss = copy.deepcopy(InfoGAN())
    assert loss.state_dict() == {}  # nothing to restore: the heads carry the layout
    c = torch.eye(3)
    assert_close(information(loss, {"code0_categorical": 1000 * c}, c), torch.tensor(math.log(3)))
