"""One update of one player, or of both: pure device work, no host synchronisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan_cli.data.source import Batch
from gan_cli.losses.base import Answer, Loss
from gan_cli.rng import Draws
from gan_cli.training import lookahead, stepping
from gan_cli.training.distributed import Team
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase

Logs = dict[str, Tensor]
Gradients = Sequence[Tensor | None]


class Share(NamedTuple):
    """A part of a phase's batch; the whole one unless gradients are accumulated.

    Attributes:
        n: samples of each kind.
        real: n real samples where the phase reads any.
        draws: the random numbers of these samples.
    """

    n: int
    real: Batch | None
    draws: Draws


def shares(n: int, real: Batch | None, draws: Draws, parts: int) -> list[Share]:
    """Cut a batch of n into equal parts whose random numbers are those of the whole batch."""
    size = n // parts
    if parts == 1:
        return [Share(n, real, draws)]
    return [
        Share(
            size,
            None if real is None else Batch(*(t if t is None else t[i * size : (i + 1) * size] for t in real)),
            draws.rows(i * size, n),
        )
        for i in range(parts)
    ]


def critic_update(state: TrainState, phase: Phase, batch: Sequence[Share], team: Team | None = None) -> Logs:
    """Move the critic one step on one batch of real and one of fake samples."""
    game = state.game
    penalised = game.constraint.penalises and state.critic_updates % game.constraint.every == 0
    logs, gradients, answers = [], [], []
    for n, real, draws in batch:
        with torch.no_grad():
            fake = game.shown(game.fake(n, real.y, draws), "fake", draws)
        terms = game.critic_terms(game.ask, game.shown(real, "real", draws), fake, draws, penalised)
        logs.append(_critic_logs(state, terms.objective, terms.penalty, terms.real, terms.fake))
        gradients.append(_gradients(state, "critic", terms.objective))
        answers.append((terms.real, terms.fake))
    result, moves = _averaged(logs, {"critic": gradients}, team)
    return result | _move(state, "critic", moves["critic"]) | _after_critic(state, phase, answers, team)


def generator_update(state: TrainState, phase: Phase, batch: Sequence[Share], team: Team | None = None) -> Logs:
    """Move the generator one step, and its moving average with it."""
    game = state.game
    logs, gradients = [], []
    for n, real, draws in batch:
        fake = game.shown(game.fake(n, None if real is None else real.y, draws), "fake", draws)
        seen = None if real is None else game.shown(real, "real", draws)
        ask = lookahead.ask(state, phase.inner, seen, fake, draws) if phase.inner else game.ask
        on_real = ask(*seen) if game.loss.generator_reads_real else None
        on_fake = ask(*fake)
        objective = game.generator_objective(on_fake, on_real)
        logs.append({"generator/loss": objective.detach()})
        if not game.loss.critic_plays:
            logs[-1] |= _critic_logs(state, None, None, on_real, on_fake)
        gradients.append(_gradients(state, "generator", objective))
    result, moves = _averaged(logs, {"generator": gradients}, team)
    return result | _move(state, "generator", moves["generator"]) | _after_generator(state)


def joint_update(state: TrainState, phase: Phase, batch: Sequence[Share], team: Team | None = None) -> Logs:
    """Move both players from the same point: one forward pass, every gradient taken before any weight moves."""
    game = state.game
    penalised = game.constraint.penalises and state.critic_updates % game.constraint.every == 0
    logs, moves, answers = [], {"critic": [], "generator": []}, []
    for n, real, draws in batch:
        fake = game.shown(game.fake(n, real.y, draws), "fake", draws)
        terms = game.critic_terms(game.ask, game.shown(real, "real", draws), fake, draws, penalised)
        objective = game.generator_objective(terms.fake, terms.real if game.loss.generator_reads_real else None)
        logs.append(_critic_logs(state, terms.objective, terms.penalty, terms.real, terms.fake))
        logs[-1]["generator/loss"] = objective.detach()
        moves["critic"].append(_gradients(state, "critic", terms.objective, retain_graph=True))
        moves["generator"].append(_gradients(state, "generator", objective))
        answers.append((terms.real, terms.fake))
    result, averaged = _averaged(logs, moves, team)
    for player, gradients in averaged.items():
        result |= _move(state, player, gradients)
    return result | _after_critic(state, phase, answers, team) | _after_generator(state)


UPDATES: dict[str, Callable[..., Logs]] = {
    "critic": critic_update,
    "generator": generator_update,
    "both": joint_update,
}


@torch.no_grad()
def _critic_logs(
    state: TrainState, objective: Tensor | None, penalty: Tensor | None, real: Answer, fake: Answer
) -> Logs:
    logs = {} if objective is None else {"critic/loss": objective.detach()}
    if penalty is not None:
        logs["critic/penalty"] = penalty.detach()
    logs |= {f"critic/{name}": value for name, value in state.game.estimates(real, fake).items()}
    if state.game.loss.critic_plays and state.game.loss.reads_score:
        logs |= {"critic/score_real": real.score.mean(), "critic/score_fake": fake.score.mean()}
        logs["critic/score_std"] = torch.cat([real.score, fake.score]).std()
    return logs


def _after_critic(state: TrainState, phase: Phase, answers: Sequence[tuple[Answer, Answer]], team: Team | None) -> Logs:
    state.game.constraint.project_(state.projected)
    state.critic_updates += 1
    if phase.last and type(state.game.loss).update_ is not Loss.update_:
        whole = (_whole(parts) for parts in zip(*answers, strict=True))
        with torch.no_grad():
            state.game.loss.update_(*(team.whole(answer) if team else answer for answer in whole))
    return {"critic/weight_norm": _norm(state.params["critic"])}


def _after_generator(state: TrainState) -> Logs:
    if state.ema:
        state.ema.update(state.game.generator)
    return {"generator/weight_norm": _norm(state.params["generator"])}


def _gradients(state: TrainState, player: str, objective: Tensor, retain_graph: bool = False) -> Gradients:
    """Return the gradient for exactly this player's parameters, None for one that is not used."""
    return torch.autograd.grad(objective, state.params[player], retain_graph=retain_graph, allow_unused=True)


def _whole(parts: Sequence[Answer]) -> Answer:
    """Return the answer to a batch from the answers to its parts."""
    if len(parts) == 1:
        return parts[0]
    heads = {name: torch.cat([part.heads[name] for part in parts]) for name in parts[0].heads}
    others = {
        name: None if getattr(parts[0], name) is None else torch.cat([getattr(part, name) for part in parts])
        for name in Answer._fields
        if name != "heads"
    }
    return Answer(heads=heads, **others)


def _sum(parts: Sequence[Gradients]) -> Gradients:
    """Return the mean over equal parts of a batch."""
    if len(parts) == 1:
        return parts[0]
    return [None if g[0] is None else sum(g[1:], g[0]) / len(g) for g in zip(*parts, strict=True)]


def _mean(parts: Sequence[Logs]) -> Logs:
    if len(parts) == 1:
        return parts[0]
    return {tag: torch.stack([part[tag] for part in parts]).mean() for tag in parts[0]}


def _averaged(
    logs: Sequence[Logs], gradients: Mapping[str, Sequence[Gradients]], team: Team | None
) -> tuple[Logs, dict[str, Gradients]]:
    """Return the means over a batch's parts, those of the other processes too."""
    log, moves = _mean(logs), {player: _sum(parts) for player, parts in gradients.items()}
    if team is None:
        return log, moves
    used = [g for parts in moves.values() for g in parts if g is not None]
    means = iter(team.mean([*log.values(), *used]))
    log = {tag: next(means) for tag in log}
    return log, {player: [None if g is None else next(means) for g in parts] for player, parts in moves.items()}


def _move(state: TrainState, player: str, gradients: Gradients) -> Logs:
    """Take one optimizer step."""
    params = state.params[player]
    for p, gradient in zip(params, gradients, strict=True):
        p.grad = gradient
    stepping.step(state.optimizers[player])
    logs = {f"{player}/grad_norm": _norm([g for g in gradients if g is not None])}
    for p in params:
        p.grad = None
    return logs


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        return get_total_norm(tensors)
