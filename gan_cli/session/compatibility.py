"""Refuses parts that cannot work together, and names what to choose instead."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from gan_cli.config.schema import RunConfig
from gan_cli.constraints.base import Constraint
from gan_cli.core.processes import processes
from gan_cli.core.text import did_you_mean
from gan_cli.data.source import LabelKind
from gan_cli.errors import UserError
from gan_cli.models.layers import MinibatchDiscrimination
from gan_cli.training import unrolling
from gan_cli.training.game import Game
from gan_cli.updates.base import Phase, Updates

_IN_WORDS = {"class": "classes", "binary": "vectors of 0 and 1", "numbers": "vectors of numbers"}


def refuse(config: RunConfig, game: Game, updates: Updates, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Refuse parts that build but cannot mean anything together.

    Args:
        config: resolved.
        game: on any device; nothing is computed.
        updates: the update rule.
        optimizers: `critic` and `generator`.

    Raises:
        UserError: the pair, and the override that fixes it.
    """
    constraint, loss = game.constraint, game.loss
    for player, optimizer in optimizers.items():
        _refuse_unsteppable(player, optimizer)
        if optimizer.defaults.get("fused") and config.runtime.device == "cpu":
            # It pairs weights and gradients by their place in memory: wrong where one alone is channels-last.
            raise UserError(
                f"optimizer.{player}.fused=true: torch's kernel for CPUs mixes up weights whose gradients have "
                f"another memory layout: optimizer.{player}.fused=false"
            )
    if constraint.needs_per_image_gradients and (name := _batch_norm(game.critic)):
        raise UserError(
            f"constraint={config.constraint.name} needs the critic's gradient at each image, but {name} of "
            f"model.critic mixes the images of a batch: model.critic.norm=none (or layer)"
        )
    phases = updates.phases(1)
    if any(phase.inner and phase.inner.optimizer == "auto" for phase in phases):
        unrolling.own_rule(optimizers["critic"])
    if not loss.critic_plays:
        _refuse_idle_critic(config, game, phases)
    _refuse_schedule(config, game, phases)
    _refuse_pack(config, game)
    if not loss.twice_differentiable and any(phase.inner for phase in phases):
        raise UserError(
            f"updates={config.updates.name} differentiates the critic's gradient, and "
            f"loss={config.loss.name} has no exact derivative of it: updates=alternating, or loss=mmd"
        )
    if game.condition.projects and not loss.reads_score:
        raise UserError(
            f"condition={config.condition.name} adds to the critic's score, and "
            f"loss={config.loss.name} compares its features: condition=concat"
        )
    _refuse_of_task(config, game, phases)
    _refuse_lone_rows(config, game)
    if loss.compares_pairs and config.train.batch_size < 2:
        raise UserError(
            f"train.batch_size=1: loss={config.loss.name} compares the samples of a batch with each other; "
            "train.batch_size=2 or more"
        )
    if (size := processes().size) > 1:
        _refuse_shares(config, game, phases, size)
    if (parts := config.train.accumulate) > 1:
        _refuse_accumulation(config, game, phases, parts)


def refuse_frozen(config: RunConfig, game: Game) -> None:
    """Refuse a name of nothing, and a player with nothing left to train.

    Raises:
        UserError: the name, and the layers there are.
    """
    names = [f"{player}.{name}" for player in ("generator", "critic") for name in _modules(getattr(game, player))]
    names += ["generator", "critic"]
    for name in config.freeze:
        if name not in names:
            raise UserError(
                f"freeze=[{name}]: there is no such layer{did_you_mean(name, names) or ';'} layers: "
                f"{', '.join(names[:12])} ..."
            )
    for player, found in game.players().items() if config.freeze else ():
        if not found and (player == "generator" or game.loss.critic_plays):
            raise UserError(
                f"freeze=[{','.join(config.freeze)}]: leaves no weights of the {player} to train; name fewer layers"
            )


def _modules(network: nn.Module) -> list[str]:
    """Return the names of a network's parameters and of its modules that have some."""
    names = [name for name, _ in network.named_parameters()]
    parts = [name.split(".") for name in names]
    return list(dict.fromkeys(".".join(part[: i + 1]) for part in parts for i in range(len(part))))


def _refuse_pack(config: RunConfig, game: Game) -> None:
    """Packs need whole batches, and samples that nothing else belongs to."""
    if (pack := game.input.pack) == 1:
        return
    microbatches = config.train.accumulate * processes().size
    if (size := config.train.batch_size // microbatches) % pack:
        fitting = max(1, size // pack) * pack * microbatches
        raise UserError(f"input.pack={pack}: does not divide {size} samples of a batch; train.batch_size={fitting}")
    reasons = {
        f"condition={config.condition.name} needs the class of each": game.condition.needs_labels,
        f"task={config.task.name} needs the source of each": game.task.reads is not None,
        f"loss={config.loss.name} reads the codes of each": bool(game.latent.codes),
        f"loss={config.loss.name} reconstructs each": game.loss.energy is not None,
        f"loss={config.loss.name} trains no critic": not game.loss.critic_plays,
    }
    for reason, holds in reasons.items():
        if holds:
            raise UserError(f"input.pack={pack}: the critic reads {pack} samples at once, and {reason}: input=none")


def _refuse_schedule(config: RunConfig, game: Game, phases: Sequence[Phase]) -> None:
    """A value of a schedule that nothing reads, or that an engine would keep as it was first."""
    schedule = game.schedule
    if schedule.moves_penalty and not game.constraint.penalises:
        raise UserError(
            f"schedule.penalty_end={schedule.penalty_end}: constraint={config.constraint.name} has no penalty to "
            "change; schedule.penalty_end=1, or constraint=r1"
        )
    if schedule.moves_betas and "betas" not in config.optimizer.critic.arguments:
        raise UserError(
            f"schedule.beta2_end={schedule.beta2_end}: {config.optimizer.critic.name} has no betas; "
            "schedule.beta2_end=null, or optimizer=adam"
        )
    if schedule.moves_betas and config.runtime.engine == "compile" and any(phase.inner for phase in phases):
        raise UserError(
            f"schedule.beta2_end={schedule.beta2_end}: unrolled steps in compiled code would keep the first value; "
            "runtime.engine=eager"
        )


def _refuse_of_task(config: RunConfig, game: Game, phases: Sequence[Phase]) -> None:
    task, named = game.task, f"task={config.task.name}"
    if not game.loss.has_objective and not task.has_terms:
        raise UserError(
            f"loss={config.loss.name}: the generator would have nothing to minimise; "
            + ("task.content_weight=1" if task.logged else "task=restore (or translate, cycle)")
            + ", or another loss"
        )
    if task.history and processes().size > 1:
        raise UserError(f"{named}: every process would keep its own earlier images; task.history=0, or one process")
    if task.history and any(phase.player == "both" for phase in phases):
        raise UserError(
            f"{named}: in updates={config.updates.name} the critic learns from the fakes of its own step alone; "
            "updates=alternating, or task.history=0"
        )


def _refuse_lone_rows(config: RunConfig, game: Game) -> None:
    """A batch norm of features has nothing to compare a single sample with."""
    size = processes().size if config.runtime.batch_norm == "local" else 1
    if config.train.batch_size // size > 1:
        return
    for name, network in (("generator", game.generator), ("critic", game.critic)):
        if any(isinstance(m, nn.BatchNorm1d) for m in network.modules()):
            raise UserError(
                f"train.batch_size={config.train.batch_size}: BatchNorm1d of model.{name} would normalise one "
                f"sample by itself: train.batch_size={2 * size} or more, or model.{name}.norm=none"
            )


def _refuse_idle_critic(config: RunConfig, game: Game, phases: Sequence[Phase]) -> None:
    """A loss on the samples themselves leaves the critic nothing to learn."""
    name = f"loss={config.loss.name} trains no critic"
    if game.constraint.penalises or type(game.constraint) is not Constraint:
        raise UserError(f"{name}, so constraint={config.constraint.name} has no effect: constraint=none")
    if any(phase.player == "both" or phase.inner for phase in phases):
        raise UserError(f"{name}, so updates={config.updates.name} has no meaning: updates=alternating")
    if game.condition.needs_labels:
        raise UserError(f"{name}, so condition={config.condition.name} has no meaning: condition=none")


def _refuse_accumulation(config: RunConfig, game: Game, phases: Sequence[Phase], parts: int) -> None:
    """Parts of a batch must add up to the gradient of the whole."""
    given = f"train.accumulate={parts}"
    batch_size = config.train.batch_size
    if batch_size % parts:
        raise UserError(f"{given}: does not divide train.batch_size={batch_size}; choose a divisor")
    _refuse_unsummable(config, game, phases, given, "train.accumulate=1")
    for name, network in (("generator", game.generator), ("critic", game.critic)):
        if norm := _batch_norm(network):
            raise UserError(
                f"{given}: {norm} of model.{name} mixes the images of a batch, so its parts do not add up to "
                f"the whole; model.{name}.norm=none (or layer), or train.accumulate=1"
            )
    if not game.constraint.per_sample:
        raise UserError(
            f"{given}: constraint={config.constraint.name} changes the critic with every forward pass, so the "
            "parts see different critics; train.accumulate=1"
        )


def _refuse_shares(config: RunConfig, game: Game, phases: Sequence[Phase], size: int) -> None:
    """What the processes compute on their rows must add up to the gradient of the whole batch."""
    given, parts = f"{size} processes", size * config.train.accumulate
    batch_size = config.train.batch_size
    if batch_size % parts:
        times = f" x train.accumulate={config.train.accumulate}" if parts > size else ""
        raise UserError(f"{given}{times}: do not divide train.batch_size={batch_size}; choose a multiple of {parts}")
    _refuse_unsummable(config, game, phases, given, "one process")


def _refuse_unsummable(config: RunConfig, game: Game, phases: Sequence[Phase], given: str, fix: str) -> None:
    if not game.loss.per_sample:
        raise UserError(
            f"{given}: loss={config.loss.name} compares the samples of a batch with each other, so "
            f"its parts do not add up to the whole; {fix}"
        )
    if any(phase.inner for phase in phases):
        raise UserError(f"{given}: unrolling is not a sum over samples; {fix}, or updates.k=0")


def no_labels(config: RunConfig, dataset: object) -> UserError:
    """Return the refusal of a condition on a dataset without labels."""
    condition, name = config.condition.name, config.dataset.name
    fix = place_of_labels(dataset) or "condition=none, or a labelled dataset"
    return UserError(f"condition={condition} needs labels, and dataset={name} has none: {fix}")


def place_of_labels(dataset: object) -> str:
    """Return where labels of a dataset without them may be, as its own `unlabelled` says it; '' where it has none."""
    return dataset.unlabelled() if hasattr(dataset, "unlabelled") else ""


def with_label_kind(config: RunConfig, found: LabelKind | None) -> RunConfig:
    """Return a config whose condition reads labels as the data have them.

    Args:
        config: its condition reads labels.
        found: what they are; None: the data are not known, and the config of a run says it.

    Raises:
        UserError: the config asks for others.
    """
    part = config.condition
    asked = part.arguments.get("labels", "auto")
    if asked == "auto":
        return config.replace(condition=part.replace(labels=found or "class")) if "labels" in part.arguments else config
    if found and asked != found and (asked, found) != ("numbers", "binary"):
        raise UserError(
            f"condition.labels={asked}: the labels of dataset={config.dataset.name} are {_IN_WORDS[found]}: "
            f"condition.labels={found}"
        )
    return config


def _refuse_unsteppable(player: str, optimizer: torch.optim.Optimizer) -> None:
    """A run gives dense gradients, and computes the loss once a step."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    sparse = isinstance(optimizer, torch.optim.SparseAdam)
    if sparse or (closure and closure.default is closure.empty):
        reason = "sparse gradients" if sparse else "a closure that computes the loss"
        name = type(optimizer).__name__
        raise UserError(
            f"optimizer.{player} ({name}): it needs {reason}, which a run does not give: optimizer=adam (or sgd)"
        )


def _batch_norm(network: nn.Module) -> str | None:
    mixing = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination)
    return next((type(m).__name__ for m in network.modules() if isinstance(m, mixing)), None)
