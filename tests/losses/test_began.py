"""BEGAN's control of k_t against its recursion worked out by hand."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.losses.began import BEGAN
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.helpers import Noise, output


def test_objectives_by_hand():
    loss = BEGAN(gamma=0.5)
    loss.k_t.fill_(0.25)
    real, fake = output(1.0, 3.0), output(0.5, 1.5)
    assert_close(loss.critic(real, fake), torch.tensor(1.75))  # 2 - 0.25 x 1
    assert_close(loss.generator(fake, None), torch.tensor(1.0))
    gradients = torch.autograd.grad(loss.critic(real, fake), [real.score, fake.score])
    assert_close(gradients, (torch.tensor([0.5, 0.5]), torch.tensor([-0.125, -0.125])))


def test_curves_by_hand():
    loss = BEGAN(gamma=0.7)
    curves = loss.estimates(output(2.0), output(1.0))
    expected = {"convergence": 2 + 0.4, "k_t": 0.0, "balance": 0.5, "energy_gap": -1.0}
    assert_close(curves, {name: torch.tensor(value) for name, value in expected.items()})


def test_k_t_follows_its_recursion_and_stays_in_its_bounds():
    loss = BEGAN(gamma=0.5, lambda_k=0.1)
    sequence = []
    with torch.no_grad():
        for real, fake in [(4.0, 1.0), (4.0, 3.0), (1.0, 5.0), (8.0, 1.0), (90.0, 1.0), (1.0, 1.5)]:
            loss.update_(output(real), output(fake))
            sequence.append(loss.k_t.item())
    # 0.1 (2 - 1), + 0.1 (2 - 3), then below 0, + 0.1 (4 - 1), then above 1, 1 + 0.1 (0.5 - 1.5)
    assert sequence == pytest.approx([0.1, 0.0, 0.0, 0.3, 1.0, 0.9])


def test_a_curve_already_read_does_not_follow_the_buffer():
    loss = BEGAN(lambda_k=0.1)
    curve = loss.estimates(output(4.0), output(1.0))["k_t"]
    with torch.no_grad():
        loss.update_(output(4.0), output(1.0))
    assert_close(curve, torch.tensor(0.0))


@pytest.mark.parametrize("score", [0.0, 1e6])
def test_finite_at_extreme_energies(score):
    loss = BEGAN()
    loss.update_(output(score).__class__(torch.tensor([score]), None, {}, None), output(1.0))
    assert 0 <= loss.k_t <= 1
    assert loss.critic(output(score), output(score)).isfinite()


def points(config_of, *overrides):
    config = config_of(
        "loss=began", "model=toy_mlp", "dataset=ring", "model.width=8", "train.batch_size=8", "loss.lambda_k=0.1",
        *overrides,
    )  # fmt: skip
    plan = build.check(config, (2,))
    state = plan.state_for((2,), 0)
    run = Eager(plan.parts.updates, Noise((2,), 8), 8, 0, torch.device("cpu"), plan.config.train.accumulate)
    return state, run


def advance(state, run, steps):
    for _ in range(steps):
        run(state)
        state.step += 1


def test_k_t_survives_a_resume_bit_for_bit(config_of):
    straight, run = points(config_of)
    advance(straight, run, 3)
    saved = {name: tensor.clone() for name, tensor in straight.tensors().items()}
    kept = straight.step, straight.real_batches, straight.critic_updates
    advance(straight, run, 3)
    resumed, run = points(config_of)
    resumed.load(saved)
    resumed.step, resumed.real_batches, resumed.critic_updates = kept
    assert saved["game/loss.k_t"] > 0
    advance(resumed, run, 3)
    assert_close(resumed.tensors(), straight.tensors(), rtol=0, atol=0)
    assert resumed.game.loss.k_t != saved["game/loss.k_t"]


def test_k_t_moves_by_the_whole_batch_when_it_is_taken_in_parts(config_of):
    whole, run = points(config_of)
    advance(whole, run, 3)
    parts, run = points(config_of, "train.accumulate=4")
    advance(parts, run, 3)
    assert whole.game.loss.k_t > 0
    assert_close(parts.game.loss.k_t, whole.game.loss.k_t)


def test_k_t_moves_once_a_step(config_of):
    once, run = points(config_of)
    moved = []
    once.game.loss.update_ = lambda real, fake: moved.append(once.critic_updates)
    advance(once, run, 2)
    thrice, run = points(config_of, "updates.n_critic=3")
    thrice.game.loss.update_ = lambda real, fake: moved.append(thrice.critic_updates)
    advance(thrice, run, 2)
    assert moved == [0, 1, 2, 5]  # in the last critic update of a step, which is counted when it is done
