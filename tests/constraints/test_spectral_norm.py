import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from gan_cli.constraints.spectral_norm import SpectralNorm
from gan_cli.models.critic import Critic
from gan_cli.models.mlp import Trunk
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import TINY
from tests.helpers import Noise

CPU, IMAGE = torch.device("cpu"), (1, 16, 16)


def state_of(config_of, *overrides, n_classes=0):
    overrides = ("constraint=spectral_norm", "dataset.image_size=16", *TINY, *overrides)
    plan = build.check(config_of(*overrides), IMAGE)
    return plan, plan.state_for(IMAGE, n_classes)


def largest_singular_values(critic):
    found = {}
    for name, module in critic.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            dim = 1 if isinstance(module, nn.ConvTranspose2d) else 0
            matrix = module.weight.detach().transpose(0, dim).flatten(1)
            found[name] = torch.linalg.matrix_norm(matrix, 2).item()
    return found


def weighted(critic):
    kinds = (nn.Linear, nn.Embedding, nn.Conv2d, nn.ConvTranspose2d)
    return {name for name, m in critic.named_modules() if isinstance(m, kinds) and not name.startswith("heads")}


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss=wgan", "model=dcgan"),
        ("loss=nonsaturating", "model=mlp"),
        ("loss=ebgan", "model=dcgan"),
        ("loss=nonsaturating", "model=dcgan", "condition=projection"),
    ],
)
def test_singular_values_are_one_after_some_forward_passes(config_of, overrides):
    _, state = state_of(config_of, *overrides, n_classes=3)
    critic = state.game.critic
    before = [p.detach().clone() for p in critic.parameters()]
    y = torch.arange(4) % 3 if state.game.condition.needs_labels else None
    with torch.no_grad():
        for _ in range(60):
            state.game.ask(torch.randn(4, *IMAGE), y)
    values = largest_singular_values(critic)
    assert set(values) == weighted(critic)
    assert all(abs(value - 1) < 0.02 for value in values.values()), values
    assert_close([p.detach() for p in critic.parameters()], before, rtol=0, atol=0)  # u and v alone move


def test_heads_are_left_alone():
    critic = Critic(Trunk((4,), (8,)), {"class": 3}, n_embedded=5)
    SpectralNorm().parametrize(critic)
    assert not parametrize.is_parametrized(critic.heads["class"])
    assert all(parametrize.is_parametrized(m) for m in (critic.score, critic.embedding, critic.trunk.layers[0]))


def test_the_critic_is_one_lipschitz():
    critic = Critic(Trunk((4,), (32, 32)), {})
    SpectralNorm().parametrize(critic)
    with torch.no_grad():
        for p in critic.parameters():
            p.mul_(20)  # the original weights' size must not matter
        for _ in range(100):
            critic(torch.randn(2, 4))
        x, y = torch.randn(2, 2000, 4)
        ratio = (critic(x).score - critic(y).score).abs() / (x - y).norm(dim=1)
    assert 0.01 < ratio.max() <= 1.001


def test_auto_norm_is_none_and_batch_norm_stays_a_choice(config_of):
    plan, state = state_of(config_of, "loss=hinge", "model=dcgan")
    assert plan.config.model.critic.arguments["norm"] == "none"
    assert plan.config.model.generator.arguments["norm"] == "batch"
    plan, _ = state_of(config_of, "loss=hinge", "model=dcgan", "model.critic.norm=batch")
    assert plan.config.model.critic.arguments["norm"] == "batch"
    assert not any(isinstance(m, nn.BatchNorm2d) for m in state.game.critic.modules())


def test_a_checkpoint_in_the_middle_resumes_bit_equal(config_of):
    def run(state, plan, steps):
        engine = Eager(plan.parts.updates, Noise(IMAGE, 8), 8, 0, CPU)
        for _ in range(steps):
            engine(state)
            state.step += 1

    plan, straight = state_of(config_of, "loss=hinge")
    run(straight, plan, 4)
    _, first = state_of(config_of, "loss=hinge")
    run(first, plan, 2)
    _, second = state_of(config_of, "loss=hinge")
    second.load({name: t.clone() for name, t in first.tensors().items()})
    second.step, second.real_batches, second.critic_updates = first.step, first.real_batches, first.critic_updates
    run(second, plan, 2)
    assert any("_u" in name for name in straight.tensors())
    assert_close(second.tensors(), straight.tensors(), rtol=0, atol=0)


def test_a_copy_is_independent():
    critic = Critic(Trunk((4,), (8,)), {})
    SpectralNorm().parametrize(critic)
    twin = copy.deepcopy(critic)
    before = {name: t.clone() for name, t in critic.state_dict().items()}
    with torch.no_grad():
        for p in twin.parameters():
            p.add_(1)
        twin(torch.randn(2, 4))
    assert_close(dict(critic.state_dict()), before, rtol=0, atol=0)


def test_other_weights_and_buffers_leave_the_critics_own_alone():
    critic = Critic(Trunk((4,), (8,)), {})
    SpectralNorm().parametrize(critic)
    before = {name: t.clone() for name, t in critic.state_dict().items()}
    other = {name: 2 * t.detach().clone() for name, t in critic.state_dict().items()}
    x = torch.randn(5, 4)
    once = torch.func.functional_call(critic, other, (x,)).score
    torch.func.functional_call(critic, other, (x,))
    assert_close(dict(critic.state_dict()), before, rtol=0, atol=0)
    assert once.requires_grad is False


def test_accumulation_is_refused(config_of):
    with pytest.raises(build.UserError, match="changes the critic with every forward pass"):
        state_of(config_of, "loss=hinge", "model=mlp", "train.accumulate=2")
