"""Which parts cannot mean anything together, and what to choose in their place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from gan_cli.constraints.base import Constraint
from gan_cli.core.processes import processes
from gan_cli.errors import UserError
from gan_cli.training import unrolling
from gan_cli.training.game import Game
from gan_cli.updates.base import Phase, Updates

Settings = dict[str, Any]


def option(spec: Mapping[str, Any]) -> str:
    """Return the name of the class that a block of the config names."""
    return spec["_target_"].rpartition(".")[2]


def refuse(settings: Settings, game: Game, updates: Updates, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Refuse parts that build but cannot mean anything together.

    Args:
        settings: resolved.
        game: on any device; nothing is computed.
        updates: the update rule.
        optimizers: `critic` and `generator`.

    Raises:
        UserError: the pair, and the override that mends it.
    """
    constraint, loss = game.constraint, game.loss
    for player, optimizer in optimizers.items():
        _refuse_unsteppable(player, optimizer)
        if optimizer.defaults.get("fused") and settings["runtime"]["device"] == "cpu":
            # It pairs weights and gradients by their place in memory: wrong where one alone is channels-last.
            raise UserError(
                f"optimizer.{player}.fused=true: torch's kernel for CPUs mixes up weights whose gradients lie "
                f"otherwise in memory: optimizer.{player}.fused=false"
            )
    if constraint.needs_per_image_gradients and (name := _batch_norm(game.critic)):
        raise UserError(
            f"constraint={option(settings['constraint'])} needs the critic's gradient at each image, but {name} of "
            f"model.critic mixes the images of a batch: model.critic.norm=none (or layer)"
        )
    phases = updates.phases(1)
    if any(phase.inner and phase.inner.optimizer == "auto" for phase in phases):
        unrolling.own_rule(optimizers["critic"])
    if not loss.critic_plays:
        _refuse_idle_critic(settings, game, phases)
    if not loss.twice_differentiable and any(phase.inner for phase in phases):
        raise UserError(
            f"updates={option(settings['updates'])} differentiates the critic's gradient, and "
            f"loss={option(settings['loss'])} has no exact derivative of it: updates=alternating, or loss=mmd"
        )
    if game.condition.projects and not loss.reads_score:
        raise UserError(
            f"condition={option(settings['condition'])} adds to the critic's score, and "
            f"loss={option(settings['loss'])} compares its features: condition=concat"
        )
    _refuse_lone_rows(settings, game)
    if loss.compares_pairs and settings["train"]["batch_size"] < 2:
        raise UserError(
            f"train.batch_size=1: loss={option(settings['loss'])} compares the samples of a batch with each other; "
            "train.batch_size=2 or more"
        )
    if (size := processes().size) > 1:
        _refuse_shares(settings, game, phases, size)
    if (parts := settings["train"]["accumulate"]) > 1:
        _refuse_accumulation(settings, game, phases, parts)


def _refuse_lone_rows(settings: Settings, game: Game) -> None:
    """A batch norm of features has nothing to compare a single sample with."""
    size = processes().size if settings["runtime"]["batch_norm"] == "local" else 1
    if settings["train"]["batch_size"] // size > 1:
        return
    for name, network in (("generator", game.generator), ("critic", game.critic)):
        if any(isinstance(m, nn.BatchNorm1d) for m in network.modules()):
            raise UserError(
                f"train.batch_size={settings['train']['batch_size']}: BatchNorm1d of model.{name} would normalise one "
                f"sample by itself: train.batch_size={2 * size} or more, or model.{name}.norm=none"
            )


def _refuse_idle_critic(settings: Settings, game: Game, phases: Sequence[Phase]) -> None:
    """A loss on the samples themselves leaves the critic nothing to learn."""
    name = f"loss={option(settings['loss'])} compares the samples themselves and trains no critic"
    if game.constraint.penalises or type(game.constraint) is not Constraint:
        raise UserError(f"{name}, so constraint={option(settings['constraint'])} has no effect: constraint=none")
    if any(phase.player == "both" or phase.inner for phase in phases):
        raise UserError(f"{name}, so updates={option(settings['updates'])} has no meaning: updates=alternating")
    if game.condition.needs_labels:
        raise UserError(f"{name}, so condition={option(settings['condition'])} has no meaning: condition=none")


def _refuse_accumulation(settings: Settings, game: Game, phases: Sequence[Phase], parts: int) -> None:
    """Parts of a batch must add up to the gradient of the whole."""
    given = f"train.accumulate={parts}"
    batch_size = settings["train"]["batch_size"]
    if batch_size % parts:
        raise UserError(f"{given}: does not divide train.batch_size={batch_size}; choose a divisor")
    _refuse_unsummable(settings, game, phases, given, "train.accumulate=1")
    for name, network in (("generator", game.generator), ("critic", game.critic)):
        if norm := _batch_norm(network):
            raise UserError(
                f"{given}: {norm} of model.{name} mixes the images of a batch, so its parts do not add up to "
                f"the whole; model.{name}.norm=none (or layer), or train.accumulate=1"
            )
    if not game.constraint.per_sample:
        raise UserError(
            f"{given}: constraint={option(settings['constraint'])} moves with every forward pass, so the "
            "parts see another critic than the whole; train.accumulate=1"
        )


def _refuse_shares(settings: Settings, game: Game, phases: Sequence[Phase], size: int) -> None:
    """What the processes compute on their rows must add up to the gradient of the whole batch."""
    given, parts = f"{size} processes", size * settings["train"]["accumulate"]
    batch_size = settings["train"]["batch_size"]
    if batch_size % parts:
        times = f" x train.accumulate={settings['train']['accumulate']}" if parts > size else ""
        raise UserError(f"{given}{times}: do not divide train.batch_size={batch_size}; choose a multiple of {parts}")
    _refuse_unsummable(settings, game, phases, given, "one process")


def _refuse_unsummable(settings: Settings, game: Game, phases: Sequence[Phase], given: str, mend: str) -> None:
    if not game.loss.per_sample:
        raise UserError(
            f"{given}: loss={option(settings['loss'])} compares the samples of a batch with each other, so "
            f"its parts do not add up to the whole; {mend}"
        )
    if any(phase.inner for phase in phases):
        raise UserError(f"{given}: looking ahead is not a sum over samples; {mend}, or updates.k=0")


def no_labels(settings: Settings) -> UserError:
    """Return the refusal of a condition on data without labels."""
    condition, dataset = option(settings["condition"]), option(settings["dataset"])
    return UserError(
        f"condition={condition} needs labels, and dataset={dataset} has none: condition=none, or a labelled dataset"
    )


def _refuse_unsteppable(player: str, optimizer: torch.optim.Optimizer) -> None:
    """A run gives dense gradients, and computes the loss once a step."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    sparse = isinstance(optimizer, torch.optim.SparseAdam)
    if sparse or (closure and closure.default is closure.empty):
        reason = "wants sparse gradients" if sparse else "calls the loss itself"
        name = type(optimizer).__name__
        raise UserError(f"optimizer.{player} ({name}): it {reason}, and a run gives neither: optimizer=adam (or sgd)")


def _batch_norm(network: nn.Module) -> str | None:
    mixing = (nn.modules.batchnorm._BatchNorm,)
    return next((type(m).__name__ for m in network.modules() if isinstance(m, mixing)), None)
