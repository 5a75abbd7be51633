"""One update at a time: who moves, when gradients are taken, and what parts of a batch add up to."""

import copy
import itertools

import pytest
import torch
from torch.testing import assert_close

from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from gan_cli.training.phases import Microbatch, update
from gan_cli.updates.base import Phase
from tests.conftest import LOSSES, TINY
from tests.helpers import Noise

CPU, IMAGE = torch.device("cpu"), (1, 16, 16)
SMALL = ("model=mlp", "model.generator.hidden=[16]")
POINTS = ("model=toy_mlp", "dataset=ring", "model.critic.hidden=[8]", "model.generator.hidden=[8]", "latent.size=3")


def state_of(config_of, *overrides, shape=IMAGE):
    size = () if len(shape) == 1 else ("dataset.image_size=16", *TINY)
    plan = build.check(config_of(*size, *overrides), shape)
    return plan.state_for(shape, 0), plan


def run(state, plan, shape, steps, batch_size=8, **engine):
    eager = Eager(plan.parts.updates, Noise(shape, batch_size), batch_size, 0, CPU, **engine)
    for _ in range(steps):
        eager(state)
        state.step += 1


def kept(state):
    return {name: p.detach().clone() for name, p in state.game.named_parameters()}


@pytest.mark.parametrize("player", ["critic", "generator", "both"])
@pytest.mark.parametrize("loss", LOSSES)
def test_only_the_moving_players_weights_move(config_of, loss, player):
    state, _ = state_of(config_of, f"loss={loss}")
    game = state.game
    if player != "generator" and not game.loss.critic_plays:
        pytest.skip("no critic plays")
    real = Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(0))
    before = kept(state)
    update(state, Phase(player, last=True), [Microbatch(8, real, Draws(CPU, 0, 0))])
    moved = {name for name, value in kept(state).items() if not torch.equal(value, before[name])}
    may = {name for p, params in game.players().items() if player in (p, "both") for name in params}
    assert moved
    assert moved <= may
    if player == "both":
        assert all(moved & set(params) for params in game.players().values())
    assert all(p.grad is None for p in game.parameters())


def test_simultaneous_takes_every_gradient_before_a_weight_moves(config_of):
    lr_critic, lr_generator = 0.5, 0.3
    sgd = ("optimizer=sgd", f"optimizer.critic.lr={lr_critic}", f"optimizer.generator.lr={lr_generator}")

    def after(updates):
        state, plan = state_of(
            config_of, "loss=wgan", "constraint=none", f"updates={updates}", *sgd, *POINTS, shape=(2,)
        )
        networks = copy.deepcopy((state.game.generator, state.game.critic))
        run(state, plan, (2,), 1)
        return networks, kept(state)

    (generator, critic), got = after("simultaneous")
    x = Noise((2,), 8).batch(*Noise((2,), 8).draw(0)).x
    fake = generator(Draws(CPU, 0, 0, 0).normal("z", 8, 3))
    estimate = critic(x).score.mean() - critic(fake).score.mean()
    # Wasserstein: the critic ascends the estimate, the generator descends -E f(fake), from the same point.
    up = torch.autograd.grad(estimate, critic.parameters(), retain_graph=True)
    down = torch.autograd.grad(-critic(fake).score.mean(), generator.parameters())
    expected = {f"critic.{n}": p + lr_critic * g for (n, p), g in zip(critic.named_parameters(), up, strict=True)}
    expected |= {
        f"generator.{n}": p - lr_generator * g for (n, p), g in zip(generator.named_parameters(), down, strict=True)
    }
    assert_close(got, {name: t.detach() for name, t in expected.items()})
    _, alternating = after("alternating")
    weights = [torch.cat([t.flatten() for n, t in sorted(s.items()) if "generator" in n]) for s in (got, alternating)]
    assert (weights[0] - weights[1]).abs().max() > 1e-3  # where the critic moves first, the generator ends elsewhere


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize(
    ("overrides", "shape"),
    [
        (("loss=wgan", *SMALL, "model.critic.norm=none"), IMAGE),
        (("loss=wgan_gp", *SMALL), IMAGE),
        (("loss=wgan_gp", "model=dcgan", "model.generator.norm=none"), IMAGE),
        (("loss=wgan_gp", *POINTS), (2,)),
        (("loss=wgan_gp", "updates=simultaneous", *POINTS), (2,)),
        (("loss=nonsaturating", "constraint=dragan", "input=noise", *POINTS), (2,)),
        (("loss=nonsaturating", "constraint=r1_r2", "constraint.every=2", "input=diffaugment", *SMALL), IMAGE),
    ],
    ids=lambda value: "+".join(value) if isinstance(value[0], str) else "",
)
def test_parts_of_a_batch_add_up_to_the_whole(config_of, overrides, shape, parts):
    sgd = ("optimizer=sgd", "optimizer.lr=0.02", f"train.accumulate={parts}", "train.batch_size=8")
    states = []
    for accumulate in (1, parts):
        state, plan = state_of(config_of, *overrides, *sgd, shape=shape)
        start = kept(state)
        run(state, plan, shape, 3, accumulate=accumulate)
        states.append(state)
    whole, in_parts = (kept(state) for state in states)
    assert states[0].real_batches == states[1].real_batches
    assert_close(in_parts, whole, rtol=1e-4, atol=1e-6)
    assert max((whole[n] - start[n]).abs().max() for n in whole) > 1e-4


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (("loss=wgan", "model=dcgan"), "BatchNorm2d"),
        (("loss=wgan_gp", "model=dcgan"), "BatchNorm2d of model.generator"),
        (("loss=ragan", "model=mlp"), "compares the samples of a batch with each other"),
        (("loss=hinge", "model=mlp", "constraint=spectral_norm"), "changes the critic with every forward pass"),
        (("loss=nonsaturating", "model=mlp", "updates=unrolled"), "unrolling is not a sum over samples"),
        (("loss=wgan", "model=mlp", "train.accumulate=3"), "does not divide"),
    ],
)
def test_where_they_do_not_add_up_they_are_refused_in_one_line(config_of, overrides, why):
    with pytest.raises(build.UserError, match=why) as refused:
        state_of(config_of, "train.accumulate=2", *overrides)
    assert "\n" not in str(refused.value)
    assert "train.accumulate" in str(refused.value)


def test_a_step_reads_one_real_batch_for_each_phase_that_needs_one(config_of):
    expected = {"alternating_5": 5, "simultaneous": 1, "unrolled": 2, "alternating": 1}
    for updates, count in expected.items():
        state, plan = state_of(config_of, "loss=nonsaturating", f"updates={updates}", *POINTS, shape=(2,))
        run(state, plan, (2,), 1)
        assert state.real_batches == count, updates


def test_a_phases_random_numbers_are_its_own(config_of):
    state, plan = state_of(config_of, "loss=wgan", "updates.n_critic=2", *POINTS, shape=(2,))
    seen = []
    state.game.latent.sample = lambda n, draws, sample=state.game.latent.sample: (
        seen.append(sample(n, draws)) or seen[-1]
    )
    run(state, plan, (2,), 2)
    assert len(seen) == 6
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(seen, 2))
