"""Unrolled critic updates: equal to real ones, and without a trace on the critic itself."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training import unrolling
from gan_cli.training.eager import Eager
from gan_cli.training.phases import Microbatch, update
from gan_cli.updates.base import Phase
from gan_cli.updates.inner import Inner
from tests.conftest import TINY, options
from tests.helpers import Noise

CPU, IMAGE = torch.device("cpu"), (1, 16, 16)
GAMES = [
    ("loss=wgan",),
    ("loss=wgan", "constraint.normalisation=false"),
    ("loss=wgan_gp",),
    ("loss=nonsaturating", "optimizer=sgd", "optimizer.critic.momentum=0.9", "constraint=r1", "constraint.every=2"),
    ("loss=hinge", "constraint=spectral_norm"),
    ("loss=nonsaturating", "input=noise"),
]
LOSSES = [loss for loss in options("loss") if loss != "sinkhorn"]


def state_of(config_of, *overrides, steps=2):
    plan = build.check(config_of("dataset.image_size=16", *TINY, *overrides), IMAGE)
    state = plan.state_for(IMAGE, 0)
    run(state, plan, steps)  # so that the optimizers and buffers are not fresh
    return state


def run(state, plan, steps):
    engine = Eager(plan.parts.updates, Noise(IMAGE, 8), 8, 0, CPU)
    for _ in range(steps):
        engine(state)
        state.step += 1


def kept(state, prefix=""):
    return {name: t.clone() for name, t in state.tensors().items() if name.startswith(prefix)}


@pytest.mark.parametrize("loss", ["wgan", "wgan_gp", "nonsaturating", "rgan"])
def test_zero_unrolled_steps_are_the_plain_rule_bit_for_bit(config_of, loss):
    rules = ("alternating", "updates.n_critic=2"), ("unrolled", "updates.n_critic=2", "updates.k=0")
    states = [
        state_of(config_of, f"loss={loss}", f"updates={rule}", *keys, "train.ema_halflife_images=50", steps=3)
        for rule, *keys in rules
    ]
    assert states[0].real_batches == states[1].real_batches
    assert_close(*(kept(state) for state in states), rtol=0, atol=0)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("overrides", GAMES, ids="+".join)
def test_the_critic_ahead_is_what_real_updates_would_make_of_it(config_of, monkeypatch, overrides, k):
    state = state_of(config_of, *overrides, "updates=unrolled", "updates.k=1")
    game = state.game
    real = Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(77))
    with torch.no_grad():
        fake = game.fake(8, None, Draws(CPU, 0, 99))
    seen = []
    original = type(game).ask_with
    monkeypatch.setattr(type(game), "ask_with", lambda self, weights: seen.append(weights) or original(self, weights))
    monkeypatch.setattr(type(game), "fake", lambda self, n, y, draws: fake)
    monkeypatch.setattr(type(game), "shown", lambda self, batch, kind, draws: batch)
    unrolling.ask(state, Inner(k), real, fake, Draws(CPU, 0, 5))
    ahead = {name: t.detach() for name, t in seen[-1].items()}
    start = kept(state, "game/critic.")
    draws = Draws(CPU, 0, 5)  # one stream of penalty points through all updates, as in the steps ahead
    for _ in range(k):
        update(state, Phase("critic"), [Microbatch(8, real, draws)])
        state.critic_updates += 1
    after = {name.removeprefix("game/critic."): t for name, t in kept(state, "game/critic.").items()}
    for name, expected in after.items():
        assert_close(ahead[name], expected, rtol=1e-4, atol=2e-6, msg=lambda text, name=name: f"{name}: {text}")
    trained = [n for n in after if not torch.equal(after[n], start[f"game/critic.{n}"])]
    assert any("weight" in name for name in trained)


@pytest.mark.parametrize("loss", ["gan", "wgan", "fgan_kl", "fgan_tv"])
def test_in_a_game_of_one_value_the_generator_minimises_all_of_it(config_of, monkeypatch, loss):
    # Real samples move the value too: the unrolled critic's scores of them depend on the generator.
    state = state_of(config_of, f"loss={loss}", "updates=unrolled", "updates.k=1")
    game, draws = state.game, Draws(CPU, 0, 5)
    batch = [Microbatch(8, Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(77)), draws)]
    z = game.latent.sample(8, draws)
    monkeypatch.setattr(type(game.latent), "sample", lambda self, n, draws: z)
    before = kept(state)
    logs = update(state, Phase("generator", inner=Inner(2)), batch)
    state.load(before)
    for _ in range(2):
        update(state, Phase("critic"), batch)
    terms = game.critic_terms(game.ask, batch[0].real, game.fake(8, None, draws), draws)
    assert_close(logs["generator/loss"], -terms.objective.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("overrides", GAMES, ids="+".join)
def test_unrolling_leaves_no_trace(config_of, overrides):
    state = state_of(config_of, *overrides, "updates=unrolled", "updates.k=1")
    before = kept(state)
    real = Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(3))
    update(state, Phase("generator", inner=Inner(2)), [Microbatch(8, real, Draws(CPU, 0, 9))])
    after = kept(state)
    untouched = [name for name in before if name.startswith(("game/critic.", "optimizer/critic/"))]
    assert len(untouched) > 5
    assert_close({n: after[n] for n in untouched}, {n: before[n] for n in untouched}, rtol=0, atol=0)
    assert not torch.equal(*(torch.cat([t.flatten() for n, t in sorted(s.items()) if n.startswith("game/generator")])
                             for s in (before, after)))  # fmt: skip
    assert all(p.grad is None for p in state.game.parameters())


@pytest.mark.parametrize(
    ("inner", "lr", "game"),
    [
        ("auto", None, ("loss=nonsaturating",)),
        ("sgd", 0.01, ("loss=nonsaturating",)),
        ("rmsprop", 1e-4, ("loss=nonsaturating",)),
        ("adam", 1e-3, ("loss=nonsaturating",)),
        ("sgd", 0.01, ("loss=nonsaturating", "constraint=r2")),
        ("sgd", 0.01, ("loss=wgan_gp",)),
        ("sgd", 0.1, ("loss=mmd", "constraint=r1_r2")),
        *(("sgd", 0.1, (f"loss={name}",)) for name in LOSSES),
    ],
)
def test_the_generator_sees_its_influence_on_the_critic(config_of, monkeypatch, inner, lr, game):
    # d/dtheta of L(theta, w_k(theta)) against finite differences along one direction
    state = state_of(config_of, *game, "model=toy_tanh", "optimizer.critic.lr=1e-3")
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # the critic's score is float32 otherwise
    uniform = Draws.uniform
    monkeypatch.setattr(Draws, "uniform", lambda *args: uniform(*args).double())
    game = state.game.double()
    real = Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(3))
    real = real._replace(x=real.x.double())
    z = game.latent.sample(8, Draws(CPU, 0, 1)).double()
    params = list(game.generator.parameters())
    torch.manual_seed(0)
    direction = [torch.randn_like(p) / 100 for p in params]

    def objective(t):
        moved = {name: p + t * d for (name, p), d in zip(game.generator.named_parameters(), direction, strict=True)}
        x = torch.func.functional_call(game.generator, moved, (z,))
        fake = real._replace(x=x, c=game.latent.codes_of(z))
        ask = unrolling.ask(state, Inner(2, inner, lr), real, fake, Draws(CPU, 0, 0))
        return game.generator_objective(ask(*fake), ask(*real)), fake

    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value, fake = objective(t)
    (through,) = torch.autograd.grad(value, t, retain_graph=True)
    h = 1e-6
    by_differences = (objective(t.detach() + h)[0] - objective(t.detach() - h)[0]) / (2 * h)
    assert_close(through, by_differences.detach(), rtol=1e-5, atol=1e-12)
    # The part that passes through the critic's steps is not nothing.
    (direct,) = torch.autograd.grad(game.generator_objective(game.ask(*fake), game.ask(*real)), t)
    assert (through - direct).abs() > 1e-4 * direct.abs()


@pytest.mark.parametrize("constraint", ["gradient_penalty", "gradient_penalty_one_sided", "dragan", "r1_r2"])
def test_a_critic_that_is_flat_somewhere_does_not_end_the_run(config_of, constraint):
    # A layer of dead units: the gradient norm is exactly 0, where the root of its square has no second derivative.
    state = state_of(config_of, "loss=wgan_gp", f"constraint={constraint}", "model=toy_mlp", "model.width=4")
    layers = [m for m in state.game.critic.modules() if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        layers[0].bias.fill_(-100.0)
    real = Noise(IMAGE, 8).batch(*Noise(IMAGE, 8).draw(3))
    logs = update(state, Phase("generator", inner=Inner(2)), [Microbatch(8, real, Draws(CPU, 0, 9))])
    assert all(value.isfinite() for value in logs.values())
    assert all(p.isfinite().all() for p in state.game.parameters())


class Adam(torch.optim.Adam):
    """A user's own, of the same name."""


def test_unrolling_repeats_no_other_arithmetic():
    weight = [torch.nn.Parameter(torch.zeros(2))]
    assert unrolling.own_rule(torch.optim.Adam(weight)) == "adam"
    for optimizer in (torch.optim.AdamW(weight), Adam(weight)):
        with pytest.raises(UserError, match=r"^updates\.inner=auto: "):
            unrolling.own_rule(optimizer)
    decoupled = torch.optim.Adam(weight)
    decoupled.param_groups[0]["decoupled_weight_decay"] = True  # an argument of newer releases of torch
    with pytest.raises(UserError, match="Adam with decoupled_weight_decay"):
        unrolling.own_rule(decoupled)
