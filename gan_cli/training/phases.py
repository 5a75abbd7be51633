"""Phases: one update of one player or of both, device work alone, without host synchronisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan_cli.core.curves import Curve
from gan_cli.data.source import Batch
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.rng import Draws
from gan_cli.training import unrolling
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase

if TYPE_CHECKING:
    from gan_cli.training.distributed import ProcessGroup

Logs = dict[str, Tensor]
Gradients = Sequence[Tensor | None]

CURVES = (
    Curve(
        "critic/loss",
        "objective",
        "neither",
        "the objective that the critic minimises, penalty included; mean over every critic update since the last row",
        chart=("Losses", "critic"),
    ),
    Curve(
        "generator/loss",
        "objective",
        "neither",
        "the objective that the generator minimises; mean over its updates since the last row",
        chart=("Losses", "generator"),
    ),
    Curve("critic/penalty", "objective", "neither", "the penalty of the constraint", chart=("Losses", "penalty")),
    Curve("critic/score_real", "score", "neither", "mean score of real samples"),
    Curve("critic/score_fake", "score", "neither", "mean score of fakes"),
    Curve(
        "critic/score_std",
        "score",
        "neither",
        "standard deviation of the scores over real and fake samples together; where it is near 0 for 20 rows, the run "
        'warns of a "collapsed critic"',
        chart=("Health", "deviation of the critic's scores"),
    ),
    Curve(
        "critic/grad_norm",
        "norm",
        "neither",
        "Euclidean norm of the gradient of the critic's objective, over all its parameters",
        chart=("Health", "gradient norms"),
    ),
    Curve(
        "generator/grad_norm",
        "norm",
        "neither",
        "Euclidean norm of the gradient of the generator's objective, over all its parameters",
        chart=("Health", "gradient norms"),
    ),
    Curve("critic/weight_norm", "norm", "neither", "Euclidean norm of all parameters of the critic"),
    Curve("generator/weight_norm", "norm", "neither", "Euclidean norm of all parameters of the generator"),
)


class Microbatch(NamedTuple):
    """A part of a phase's batch; the whole one unless gradients are accumulated.

    Attributes:
        n: samples of each kind.
        real: n real samples where the phase reads any.
        draws: the random numbers of these samples.
    """

    n: int
    real: Batch | None
    draws: Draws


def microbatches(n: int, real: Batch | None, draws: Draws, parts: int) -> list[Microbatch]:
    """Cut a batch of n into equal parts whose random numbers are those of the whole batch."""
    size = n // parts
    if parts == 1:
        return [Microbatch(n, real, draws)]
    return [
        Microbatch(
            size,
            None if real is None else Batch(*(t if t is None else t[i * size : (i + 1) * size] for t in real)),
            draws.rows(i * size, n),
        )
        for i in range(parts)
    ]


class Part(NamedTuple):
    """What one microbatch of a phase's batch comes to, before any weight moves.

    Attributes:
        logs: curves, 0-d each.
        gradients: by player, for exactly its parameters; None for one that is not used.
        outputs: the critic's to real and fake samples, where the critic moves.
    """

    logs: Logs
    gradients: dict[str, Gradients]
    outputs: tuple[CriticOutput, CriticOutput] | None = None


def critic_part(state: TrainState, phase: Phase, microbatch: Microbatch) -> Part:
    """Return the critic's gradient on real and fake samples."""
    game, (n, real, draws) = state.game, microbatch
    real = game.read(real, draws)
    with torch.no_grad():
        fake = game.shown(game.task.remembered(game.fake(n, real, draws), draws), "fake", draws)
    terms = game.critic_terms(game.ask, game.shown(real, "real", draws), fake, draws, penalised(state))
    logs = _critic_logs(state, terms.objective, terms.penalty, terms.real, terms.fake)
    return Part(logs, {"critic": _gradients(state, "critic", terms.objective)}, (terms.real, terms.fake))


def generator_part(state: TrainState, phase: Phase, microbatch: Microbatch) -> Part:
    """Return the generator's gradient."""
    game, (n, real, draws) = state.game, microbatch
    real = None if real is None else game.read(real, draws)
    generated = game.fake(n, real, draws)
    fake = game.shown(generated, "fake", draws)
    seen = None if real is None else game.shown(real, "real", draws)
    ask = unrolling.ask(state, phase.inner, seen, fake, draws) if phase.inner else game.ask
    on_real = ask(*seen) if phase.inner or game.loss.generator_reads_real else None
    on_fake = ask(*fake)
    objective, logs = _generator_terms(state, game.generator_objective(on_fake, on_real), generated, real)
    if not game.loss.critic_plays:
        logs |= _critic_logs(state, None, None, on_real, on_fake)
    return Part(logs, {"generator": _gradients(state, "generator", objective)})


def joint_part(state: TrainState, phase: Phase, microbatch: Microbatch) -> Part:
    """Return both players' gradients at the same point, from one forward pass."""
    game, (n, real, draws) = state.game, microbatch
    real = game.read(real, draws)
    generated = game.fake(n, real, draws)
    fake = game.shown(generated, "fake", draws)
    terms = game.critic_terms(game.ask, game.shown(real, "real", draws), fake, draws, penalised(state))
    objective = game.generator_objective(terms.fake, terms.real if game.loss.generator_reads_real else None)
    objective, of_generator = _generator_terms(state, objective, generated, real)
    logs = _critic_logs(state, terms.objective, terms.penalty, terms.real, terms.fake) | of_generator
    gradients = {
        "critic": _gradients(state, "critic", terms.objective, retain_graph=True),
        "generator": _gradients(state, "generator", objective),
    }
    return Part(logs, gradients, (terms.real, terms.fake))


PartOf = Callable[[TrainState, Phase, Microbatch], Part]
PARTS: dict[str, PartOf] = {
    "critic": critic_part,
    "generator": generator_part,
    "both": joint_part,
}


def update(
    state: TrainState,
    phase: Phase,
    batch: Sequence[Microbatch],
    group: ProcessGroup | None = None,
    part_of: PartOf | None = None,
) -> Logs:
    """Run a phase but for the counters: no weight moves before every gradient is taken.

    Args:
        state: whose players move.
        phase: which of them.
        batch: its microbatches, of this process.
        group: the processes that train together.
        part_of: computes a microbatch's part; None: as PARTS does.
    """
    parts = [(part_of or PARTS[phase.player])(state, phase, microbatch) for microbatch in batch]
    logs, gradients = _averaged(parts, group)
    for player, mean in gradients.items():
        logs |= _move(state, player, mean)
    if "critic" in gradients:
        logs |= _after_critic(state, phase, [part.outputs for part in parts], group)
    if "generator" in gradients:
        logs |= _after_generator(state, batch[0].draws)
    return logs


def penalised(state: TrainState) -> bool:
    """Return whether the constraint's penalty is due in the next critic update."""
    constraint = state.game.constraint
    return constraint.penalises and state.critic_updates % constraint.every == 0


def _generator_terms(state: TrainState, objective: Tensor, fake: Batch, real: Batch | None) -> tuple[Tensor, Logs]:
    """Return the generator's whole objective, with the task's further terms, and its curves."""
    task, logs = state.game.task, {}
    if task.adversarial_weight != 1:
        objective = task.adversarial_weight * objective
    for name, (value, weight) in state.game.further_terms(fake, real).items():
        objective = objective + weight * value
        logs[f"generator/{name}"] = value.detach()
    return objective, {"generator/loss": objective.detach(), **logs}


@torch.no_grad()
def _critic_logs(
    state: TrainState, objective: Tensor | None, penalty: Tensor | None, real: CriticOutput, fake: CriticOutput
) -> Logs:
    logs = {} if objective is None else {"critic/loss": objective.detach()}
    if penalty is not None:
        logs["critic/penalty"] = penalty.detach()
    logs |= {f"critic/{name}": value for name, value in state.game.estimates(real, fake).items()}
    if state.game.loss.critic_plays and state.game.loss.reads_score:
        logs |= {"critic/score_real": real.score.mean(), "critic/score_fake": fake.score.mean()}
        logs["critic/score_std"] = torch.cat([real.score, fake.score]).std()
    return logs


def _after_critic(
    state: TrainState, phase: Phase, outputs: Sequence[tuple[CriticOutput, CriticOutput]], group: ProcessGroup | None
) -> Logs:
    state.game.constraint.project_(state.projected)
    if phase.last and type(state.game.loss).update_ is not Loss.update_:
        whole = (_whole(parts) for parts in zip(*outputs, strict=True))
        with torch.no_grad():
            state.game.loss.update_(*(group.whole(output) if group else output for output in whole))
    for part in (state.game.constraint, state.game.input):
        if part.learns:
            whole = (_whole(parts) for parts in zip(*outputs, strict=True))
            with torch.no_grad():
                part.update_(*((group.whole(output) if group else output).score for output in whole))
    return {"critic/weight_norm": _norm(state.params["critic"])}


def _after_generator(state: TrainState, draws: Draws) -> Logs:
    if (ema := state.ema) is not None:
        schedule = state.game.schedule
        share = draws.scheduled(lambda step: ema.share(schedule.halflife(step))) if schedule.moves_average else None
        ema.update(state.game.generator, share)
    return {"generator/weight_norm": _norm(state.params["generator"])}


def _gradients(state: TrainState, player: str, objective: Tensor, retain_graph: bool = False) -> Gradients:
    """Return the gradient for exactly this player's parameters, None for one that is not used."""
    return torch.autograd.grad(objective, state.params[player], retain_graph=retain_graph, allow_unused=True)


def _whole(parts: Sequence[CriticOutput]) -> CriticOutput:
    """Return the output to a batch from the outputs to its parts."""
    if len(parts) == 1:
        return parts[0]
    heads = {name: torch.cat([part.heads[name] for part in parts]) for name in parts[0].heads}
    others = {
        name: None if getattr(parts[0], name) is None else torch.cat([getattr(part, name) for part in parts])
        for name in CriticOutput._fields
        if name != "heads"
    }
    return CriticOutput(heads=heads, **others)


def _sum(parts: Sequence[Gradients]) -> Gradients:
    """Return the mean over equal parts of a batch."""
    if len(parts) == 1:
        return parts[0]
    return [None if g[0] is None else sum(g[1:], g[0]) / len(g) for g in zip(*parts, strict=True)]


def _mean(parts: Sequence[Logs]) -> Logs:
    if len(parts) == 1:
        return parts[0]
    return {tag: torch.stack([part[tag] for part in parts]).mean() for tag in parts[0]}


def _averaged(parts: Sequence[Part], group: ProcessGroup | None) -> tuple[Logs, dict[str, Gradients]]:
    """Return the means over a batch's parts, those of the other processes too."""
    log = _mean([part.logs for part in parts])
    moves = {player: _sum([part.gradients[player] for part in parts]) for player in parts[0].gradients}
    if group is None:
        return log, moves
    used = [g for gradients in moves.values() for g in gradients if g is not None]
    means = iter(group.mean([*log.values(), *used]))
    log = {tag: next(means) for tag in log}
    return log, {player: [None if g is None else next(means) for g in found] for player, found in moves.items()}


def _move(state: TrainState, player: str, gradients: Gradients) -> Logs:
    """Take one optimizer step."""
    params = state.params[player]
    for p, gradient in zip(params, gradients, strict=True):
        p.grad = gradient
    state.optimizers[player].step()
    logs = {f"{player}/grad_norm": _norm([g for g in gradients if g is not None])}
    for p in params:
        p.grad = None
    return logs


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        return get_total_norm([t.detach() for t in tensors])  # given parameters, it takes their norms one by one
