"""One update of one player: pure device work, no host synchronisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan_cli.data.source import Batch
from gan_cli.rng import Draws
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase

Logs = dict[str, Tensor]


def critic_update(state: TrainState, phase: Phase, n: int, real: Batch, draws: Draws) -> Logs:
    """Move the critic one step on one batch of real and one of n fake samples."""
    game = state.game
    with torch.no_grad():
        fake = game.fake(n, real.y, draws)
    terms = game.critic_terms(game.ask, real, fake, draws)
    logs = {"critic/loss": terms.objective.detach()}
    if terms.penalty is not None:
        logs["critic/penalty"] = terms.penalty.detach()
    with torch.no_grad():
        logs |= {f"critic/{name}": value for name, value in game.loss.estimates(terms.real, terms.fake).items()}
        logs |= {"critic/score_real": terms.real.score.mean(), "critic/score_fake": terms.fake.score.mean()}
    logs |= _move(state, "critic", terms.objective)
    game.constraint.project_(state.params["critic"])
    logs["critic/weight_norm"] = _norm(state.params["critic"])
    if phase.last:
        with torch.no_grad():
            game.loss.update_(terms.real, terms.fake)
    return logs


def generator_update(state: TrainState, phase: Phase, n: int, real: Batch | None, draws: Draws) -> Logs:
    """Move the generator one step, and its moving average with it."""
    game = state.game
    fake = game.fake(n, None if real is None else real.y, draws)
    objective = game.generator_objective(game.ask, fake, real if game.loss.generator_reads_real else None)
    logs = {"generator/loss": objective.detach()} | _move(state, "generator", objective)
    logs["generator/weight_norm"] = _norm(state.params["generator"])
    if state.ema:
        state.ema.update(game.generator)
    return logs


UPDATES: dict[str, Callable[..., Logs]] = {"critic": critic_update, "generator": generator_update}


def _move(state: TrainState, player: str, objective: Tensor) -> Logs:
    """Take one optimizer step along the gradient for exactly this player's parameters."""
    params = state.params[player]
    gradients = torch.autograd.grad(objective, params, allow_unused=True)
    for p, gradient in zip(params, gradients, strict=True):
        p.grad = gradient
    state.optimizers[player].step()
    logs = {f"{player}/grad_norm": _norm([g for g in gradients if g is not None])}
    for p in params:
        p.grad = None
    return logs


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        return get_total_norm(tensors)
