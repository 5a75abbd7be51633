"""Unrolling: the critic after a few of its own updates, as a differentiable function of the samples."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.training.game import Ask
from gan_cli.training.state import TrainState
from gan_cli.updates.inner import Inner, unroll

_OWN = {torch.optim.SGD: "sgd", torch.optim.RMSprop: "rmsprop", torch.optim.Adam: "adam"}
_UNFOLLOWED = ("nesterov", "amsgrad", "centered", "maximize", "decoupled_weight_decay")  # arithmetic not repeated


def ask(state: TrainState, inner: Inner, real: Batch, fake: Batch, draws: Draws) -> Ask:
    """Return the critic that `inner.k` of its updates on these batches would make of it, with their graph.

    The critic's own weights, buffers and optimizer stay as they are.
    """
    game = state.game
    names = {id(p): name for name, p in game.critic.named_parameters()}
    moving = {names[id(p)]: p for p in state.params["critic"]}
    buffers = {name: b.clone() for name, b in game.critic.named_buffers()}
    still = {name: p for name, p in game.critic.named_parameters() if name not in moving}
    projected = [name for name in moving if name in state.projected_names]

    def gradients(weights: Mapping[str, Tensor], i: int) -> dict[str, Tensor | None]:
        ask_now = game.ask_with({**buffers, **still, **weights})
        penalised = game.constraint.penalises and (state.critic_updates + i) % game.constraint.every == 0
        # Through the fakes the generator sees its own influence on these steps.
        objective = game.critic_terms(ask_now, real, fake, draws, penalised).objective
        found = torch.autograd.grad(objective, list(weights.values()), create_graph=True, allow_unused=True)
        return dict(zip(weights, found, strict=True))

    def project(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        return weights | game.constraint.project({name: weights[name] for name in projected})

    optimizer = state.optimizers["critic"]
    rule = own_rule(optimizer) if inner.optimizer == "auto" else inner.optimizer
    group = optimizer.param_groups[0] if inner.optimizer == "auto" else {"lr": optimizer.param_groups[0]["lr"]}
    options = {**group, "lr": inner.lr or state.rate("critic", draws)}
    slots = {name: optimizer.state.get(p, {}) for name, p in moving.items()} if inner.optimizer == "auto" else {}
    weights = unroll(moving, gradients, project, inner.k, rule, options, slots)
    return game.ask_with({**buffers, **still, **weights})


def own_rule(optimizer: torch.optim.Optimizer) -> str:
    """Return the rule that repeats an optimizer's arithmetic.

    Raises:
        UserError: there is none.
    """
    rule = _OWN.get(type(optimizer))
    variant = next((v for v in _UNFOLLOWED if optimizer.param_groups[0].get(v)), None)
    if rule is None or variant:
        name = type(optimizer).__name__
        shown = f"{name} with {variant}" if variant else name
        raise UserError(
            f"updates.inner=auto: unrolling repeats SGD, RMSprop and Adam, not {shown}: updates.inner=adam (or sgd)"
        )
    return rule
