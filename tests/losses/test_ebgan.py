"""EBGAN's margin and pulling-away term against numbers worked out by hand."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.ebgan import EBGAN, pulling_away
from gan_cli.session import build
from tests.helpers import output


def coded(code, score):
    return CriticOutput(torch.tensor(score), code, {}, code)


def test_margin_by_hand():
    real, fake = output(0.25, 0.75), output(0.5, 3.0)
    loss = EBGAN(margin=2.0)
    # E D(real) = 0.5; [2 - 0.5]^+ = 1.5 and [2 - 3]^+ = 0, so their mean is 0.75
    assert_close(loss.critic(real, fake), torch.tensor(1.25))
    assert_close(loss.generator(fake, None), torch.tensor(1.75))
    assert_close(loss.estimates(real, fake), {"energy_gap": torch.tensor(1.25)})
    gradients = torch.autograd.grad(loss.critic(real, fake), [real.score, fake.score])
    assert_close(gradients, (torch.tensor([0.5, 0.5]), torch.tensor([-0.5, 0.0])))  # none beyond the margin


def test_pulling_away_by_hand():
    # Squared cosines of the three pairs: (1,0)-(0,2) 0, (1,0)-(3,3) 1/2, (0,2)-(3,3) 1/2; each counts twice of six
    codes = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    assert_close(pulling_away(codes), torch.tensor(1 / 3))
    fake = coded(codes, [1.0, 2.0, 3.0])
    assert_close(EBGAN(pull_away=0.6).generator(fake, None), torch.tensor(2.2))
    assert_close(EBGAN(pull_away=0.6).estimates(fake, fake)["pulling_away"], torch.tensor(1 / 3))


def test_pulling_away_is_1_where_all_codes_are_parallel_and_its_gradient_turns_them_apart():
    codes = torch.tensor([[1.0, 0.1], [1.0, -0.1]], requires_grad=True)
    assert_close(pulling_away(torch.tensor([[1.0, 2.0], [-2.0, -4.0]])), torch.tensor(1.0))
    (gradient,) = torch.autograd.grad(pulling_away(codes), codes)
    assert gradient[0, 1] < 0 < gradient[1, 1]  # descending widens the angle
    assert_close((gradient * codes.detach()).sum(dim=1), torch.zeros(2))  # and leaves the lengths alone


@pytest.mark.parametrize("score", [0.0, 1e6])
def test_finite_at_extreme_energies_and_dead_codes(score):
    fake = CriticOutput(torch.full((2,), score, requires_grad=True), torch.zeros(2, 3, requires_grad=True), {}, None)
    objective = EBGAN(pull_away=0.1).generator(fake, None)
    gradients = torch.autograd.grad(objective, [fake.score, fake.features])
    assert objective.isfinite()
    assert all(g.isfinite().all() for g in gradients)
    assert EBGAN().critic(fake, fake).isfinite()


def test_the_pulling_away_term_needs_the_whole_batch(config_of):
    points = ("loss=ebgan", "model=toy_mlp", "dataset=ring", "model.width=8")
    build.check(config_of(*points, "train.accumulate=4"))
    with pytest.raises(UserError, match="compares the samples of a batch"):
        build.check(config_of(*points, "train.accumulate=4", "loss.pull_away=0.1"))
    with pytest.raises(UserError, match=r"train\.batch_size=2 or more"):
        build.check(config_of(*points, "train.batch_size=1", "loss.pull_away=0.1"))
