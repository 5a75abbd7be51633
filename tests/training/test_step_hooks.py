"""An optimizer's step is torch's own call, so what is hooked into it runs."""

import torch

from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.helpers import Noise


def test_step_hooks_run_at_each_update(config_of):
    plan = build.check(config_of("loss=wgan", "updates.n_critic=3", "model=toy_mlp", "dataset=ring"), (2,))
    state = plan.state_for((2,), 0)
    called = []
    for player, optimizer in state.optimizers.items():
        optimizer.register_step_pre_hook(lambda *_, player=player: called.append(f"before {player}"))
        optimizer.register_step_post_hook(lambda *_, player=player: called.append(f"after {player}"))
    Eager(plan.parts.updates, Noise((2,), 8), 8, 0, torch.device("cpu"))(state)
    assert called == ["before critic", "after critic"] * 3 + ["before generator", "after generator"]


def test_a_step_hook_can_change_the_gradient(config_of):
    def moved(factor):
        plan = build.check(config_of("loss=wgan", "optimizer=sgd", "model=toy_mlp", "dataset=ring"), (2,))
        state = plan.state_for((2,), 0)
        before = [p.detach().clone() for p in state.params["generator"]]

        def scale(optimizer, args, kwargs):
            for p in state.params["generator"]:
                p.grad *= factor

        state.optimizers["generator"].register_step_pre_hook(scale)
        Eager(plan.parts.updates, Noise((2,), 8), 8, 0, torch.device("cpu"))(state)
        return torch.cat([(p - old).flatten() for p, old in zip(state.params["generator"], before, strict=True)])

    whole = moved(1.0)
    assert whole.any()
    assert not moved(0.0).any()
