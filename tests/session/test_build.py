"""What is refused before data are read, and what the machine's `auto` means."""

import pytest
import torch

from gan_cli.config.schema import Part, Runtime
from gan_cli.errors import UserError
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.derivatives import Differentiated
from gan_cli.session import build, runtime
from gan_cli.training.game import Game

RUNTIME = Runtime(device="cpu", precision="fp32", engine="eager", threads=1)


def with_part(config, key, target, **arguments):
    """The config with another part at a key such as `loss` or `model.critic`."""
    group, _, name = key.partition(".")
    part = Part.of(target, arguments)
    return config.replace(**{group: getattr(config, group).replace(**{name: part}) if name else part})


def test_a_penalty_on_batch_norm_is_refused_and_layer_norm_is_not(config_of):
    with pytest.raises(UserError, match=r"mixes the images of a batch: model.critic.norm=none"):
        build.check(config_of("loss=wgan_gp", "model.critic.norm=batch"))
    assert build.check(config_of("loss=wgan_gp", "model.critic.norm=layer"))


def test_momentum_under_clipping_is_a_warning_with_the_paper(config_of):
    (warning,) = build.check(config_of("loss=wgan", "optimizer=adam")).warnings
    assert "WGAN paper" in warning
    (of_torch,) = build.check(config_of("loss=wgan", "optimizer=adam", "~optimizer.critic.betas")).warnings
    assert "betas[0]=0.9" in of_torch
    assert build.check(config_of("loss=wgan")).warnings == []


def test_a_batch_norm_of_a_single_sample_is_refused(config_of):
    points = ("loss=gan", "dataset=ring", "model=toy_mlp")
    for player in ("generator", "critic"):
        normed = (*points, f"model.{player}.norm=batch")
        with pytest.raises(UserError, match=rf"^train\.batch_size=1: BatchNorm1d of model\.{player}"):
            build.check(config_of(*normed, "train.batch_size=1"))
        build.check(config_of(*normed, "train.batch_size=2"))
    build.check(config_of(*points, "train.batch_size=1"))


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("loss", "gan_cli.losses.base.Loss"),
        ("loss", "gan_cli.constraints.base.Constraint"),
        ("optimizer.critic", "torch.optim.lr_scheduler.StepLR"),
        ("dataset", "gan_cli.latents.prior.Normal"),
        ("model.critic", "torch.nn.Identity"),
    ],
)
def test_a_class_of_another_role_is_refused(config_of, key, target):
    with pytest.raises(UserError) as refused:
        build.check(with_part(config_of(), key, target))
    assert target in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "SGD"])
def test_a_fused_kernel_that_mixes_up_weights_is_refused(config_of, optimizer):
    config, target = config_of("optimizer.lr=0.1", "runtime.device=cpu"), f"torch.optim.{optimizer}"
    with pytest.raises(UserError, match=r"optimizer\.critic\.fused=true: .* optimizer\.critic\.fused=false"):
        build.check(with_part(config, "optimizer.critic", target, fused=True))
    build.check(with_part(config, "optimizer.critic", target, fused=False))


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam"])
def test_an_optimizer_that_no_run_can_step_is_refused(config_of, name):
    with pytest.raises(UserError, match=rf"^optimizer.critic \({name}\): .*: optimizer=adam"):
        build.check(with_part(config_of(), "optimizer.critic", f"torch.optim.{name}"))


def test_weights_depend_on_the_seed_alone(config_of):
    def weights(seed):
        torch.manual_seed(seed + 100)  # the global generator must not matter
        before = torch.get_rng_state()
        plan = build.check(config_of(f"seed={seed}", "model.width=4"))
        game = plan.state_for((1, 32, 32), 0).game
        assert torch.equal(torch.get_rng_state(), before)
        return torch.cat([p.flatten() for p in game.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_one_players_width_does_not_shift_the_others_weights(config_of):
    def critic(*overrides):
        plan = build.check(config_of("model.width=4", *overrides))
        return plan.state_for((1, 32, 32), 0).game.critic.state_dict()

    torch.testing.assert_close(critic(), critic("model.generator.width=8"), rtol=0, atol=0)


def test_networks_know_what_of_them_is_differentiated(config_of):
    def times(*overrides):
        plan = build.check(config_of("model.width=4", *overrides))
        game = plan.state_for((1, 16, 16), 0).game
        found = (
            {m.times for m in network.modules() if isinstance(m, Differentiated)}
            for network in (game.generator, game.critic)
        )
        return tuple(found)

    assert times("loss=wgan") == times("loss=ebgan") == ({1}, {1})
    assert times("loss=wgan_gp") == times("loss=nonsaturating", "constraint=r1_r2") == ({1}, {2})
    assert times("loss=nonsaturating", "updates=unrolled") == ({1}, {None})
    assert times("loss=wgan", "runtime.kernels=torch") == ({None}, {None})


class OwnLoss(Wasserstein):
    """A loss outside gan_cli, which may differentiate as it likes."""


def test_what_a_run_of_other_code_computes_does_not_depend_on_what_is_allowed(config_of):
    def kernels(*overrides, target="gan_cli.losses.wasserstein.Wasserstein"):
        plan = build.check(with_part(config_of("loss=wgan", "model.width=4", *overrides), "loss", target))
        game = plan.state_for((1, 16, 16), 0).game
        times = {m.times for m in game.modules() if isinstance(m, Differentiated)}
        return plan.config.runtime.kernels, times

    own = f"{__name__}.OwnLoss"
    assert kernels() == kernels("allow_targets=[mine]") == ("fast", {1})
    assert kernels(target=own) == kernels("allow_targets=[tests]", target=own) == ("torch", {None})
    assert kernels("runtime.kernels=fast", target=own) == ("fast", {1})


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runtime.resolve(RUNTIME.replace(device="auto")).device == "cpu"
    with pytest.raises(UserError, match=r"runtime\.device=cuda: no CUDA GPU is usable here"):
        runtime.resolve(RUNTIME.replace(device="cuda"))


def test_tf32_on_the_cpu_is_refused():
    with pytest.raises(UserError, match=r"runtime\.precision=fp32"):
        runtime.resolve(RUNTIME.replace(precision="tf32"))


@pytest.mark.parametrize("native", [True, False])
def test_precision_follows_the_processor(monkeypatch, native):
    monkeypatch.setattr(runtime, "cpu_has_bf16", lambda: native)
    assert runtime.resolve(RUNTIME.replace(precision="auto")).precision == ("bf16" if native else "fp32")


def test_threads_stay_within_the_processors_at_hand(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    assert runtime.resolve(RUNTIME.replace(threads="auto")).threads == 1
    assert runtime.resolve(RUNTIME.replace(threads=3)).threads == 3


def test_under_bf16_scores_and_losses_stay_float32(config_of):
    plan = build.check(config_of("runtime.precision=bf16", "model.width=4", "model.critic.norm=none"))
    game: Game = plan.state_for((1, 16, 16), 0).game
    x = torch.randn(4, 1, 16, 16)
    seen = []
    game.critic.trunk.layers[0].register_forward_hook(lambda m, i, out: seen.append(out.dtype))
    output = game.ask(x)
    assert seen == [torch.bfloat16]
    assert output.score.dtype == output.features.dtype == torch.float32
    assert game.generate(torch.randn(4, 100)).dtype == torch.float32
    assert {p.dtype for p in game.parameters()} == {torch.float32}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_a_step_on_cuda_waits_for_nothing(config_of):
    from gan_cli.training.eager import Eager
    from tests.helpers import Noise

    plan = build.check(config_of("runtime.device=cuda", "model.width=4"))
    device = torch.device("cuda")
    state = plan.state_for((1, 16, 16), 0)

    x = torch.rand(8, 1, 16, 16, device=device)

    class OnDevice(Noise):
        def draw(self, k):
            return (x,)

    run = Eager(plan.parts.updates, OnDevice((1, 16, 16), 8), 8, 0, device)
    run(state)
    torch.cuda.set_sync_debug_mode("error")
    try:
        run(state)
    finally:
        torch.cuda.set_sync_debug_mode("default")
