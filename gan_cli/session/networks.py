"""Builds the networks, the game and the optimizers that a resolved config names."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from gan_cli.conditions.base import Unconditional
from gan_cli.config import parts
from gan_cli.config.schema import Part, RunConfig
from gan_cli.constraints.base import Constraint
from gan_cli.data.source import Dataset
from gan_cli.errors import UserError
from gan_cli.inputs.base import Input
from gan_cli.latents.base import Latent
from gan_cli.losses.base import Loss
from gan_cli.models.critic import Critic, EnergyCritic
from gan_cli.models.derivatives import differentiated
from gan_cli.models.initial import seeded
from gan_cli.schedules.schedule import Schedule
from gan_cli.tasks.base import Generate
from gan_cli.training.game import Game
from gan_cli.updates.base import Updates

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """What a config names, each part built once; the networks and their condition need the data's shape and classes."""

    dataset: Dataset
    loss: Loss
    constraint: Constraint
    latent: Latent
    input: Input
    updates: Updates
    task: Generate
    schedule: Schedule


def settled(part: Part, built: object, values: Mapping[str, Any]) -> Part:
    """Give a part the values that its `auto` stands for, in the config and in the object, which has them by name."""
    for name, value in values.items():
        setattr(built, name, value)
    return part.replace(**values) if values else part


class Shapes(NamedTuple):
    """What the networks are built for.

    Attributes:
        sample: (C, H, W) or (D,).
        n_classes: of the labels, 0 for none.
        source: of what the generator reads beside z, (C', H', W') or (F,); None: it reads z alone.
    """

    sample: tuple[int, ...]
    n_classes: int
    source: tuple[int, ...] | None = None


def build_game(config: RunConfig, built: Parts, shapes: Shapes) -> tuple[Game, Part]:
    """Build the networks, drawn from the run's seed; return the game and its condition, resolved."""
    sample_shape, n_classes, _ = shapes
    latent = built.latent
    loss, task, constraint, of_input = (  # their buffers belong to one state
        copy.deepcopy(part) for part in (built.loss, built.task, built.constraint, built.input)
    )
    task.build(sample_shape)
    condition = parts.build(config.condition, "condition", Unconditional, n_classes=n_classes)
    named = config.condition
    with seeded(config.seed, "generator"):
        size = condition.latent_size(latent.total_size)
        generator = task.players(lambda: _generator(config, task, size, shapes))
        named = settled(named, condition, _asked("condition", named, lambda: condition.resolve(generator)))
        if (resized := condition.latent_size(latent.total_size)) != size:
            generator = task.players(lambda: _generator(config, task, resized, shapes))
        generator = condition.adapt(generator)
    heads = _asked("loss", config.loss, lambda: loss.heads(latent)) | condition.critic_heads
    with seeded(config.seed, "critic"):
        seen = of_input.critic_shape(task.critic_shape(sample_shape, shapes.source))
        critic = task.players(lambda: _critic(config, sample_shape, seen, loss, condition, heads))
        constraint.parametrize(critic)
    if config.runtime.kernels == "fast":
        differentiated(generator, 1)
        if not any(phase.inner for phase in built.updates.phases(0)):
            differentiated(critic, 2 if constraint.penalises else 1)
    _asked("input", config.input, lambda: of_input.check(sample_shape))
    _asked("constraint", config.constraint, lambda: constraint.check(sample_shape))
    dtype = torch.bfloat16 if config.runtime.precision == "bf16" else None
    of_config = {"task": task, "schedule": built.schedule, "frozen": config.freeze}
    return Game(generator, critic, loss, constraint, latent, condition, of_input, dtype, **of_config), named


def _generator(config: RunConfig, task: Generate, latent_size: int, shapes: Shapes) -> nn.Module:
    """Make the generator: of z, of z and a vector, or of a picture with z's numbers as further channels.

    Raises:
        UserError: the model reads something else than the task gives it.
    """
    part = config.model.generator
    reads_image = "source_shape" in inspect.signature(parts.class_of(part, "model.generator")).parameters
    if reads_image != (task.reads == "image"):
        raise UserError(
            f"model.generator={part.target}: it reads a picture, and task={config.task.name} gives it none: "
            "task=restore (or translate, cycle), or model=dcgan"
            if reads_image
            else f"model.generator={part.target}: it reads z alone, and task={config.task.name} gives it a picture: "
            "model=unet (or srresnet)"
        )
    if reads_image:
        channels, *sides = shapes.source
        return _network(config, "generator", source_shape=(channels + latent_size, *sides), sample_shape=shapes.sample)
    if not (size := latent_size + (shapes.source[0] if task.reads == "vector" else 0)):
        raise UserError(f"latent={config.latent.name}: the generator would have nothing to read: latent=normal")
    return _network(config, "generator", latent_size=size, sample_shape=shapes.sample)


def _critic(
    config: RunConfig,
    sample_shape: tuple[int, ...],
    seen_shape: tuple[int, ...],
    loss: Loss,
    condition: Unconditional,
    heads: Mapping[str, int],
) -> nn.Module:
    """Make the critic that the loss asks for from the model's trunk, and its decoder from the generator's family."""
    trunk = _network(config, "critic", sample_shape=condition.critic_shape(seen_shape))
    for attribute in ("n_features", "init_"):
        if not hasattr(trunk, attribute):
            raise UserError(f"model.critic={config.model.critic.target}: has no {attribute}, not a trunk")
    if loss.energy is None:
        return Critic(trunk, heads, condition.n_classes if condition.projects else 0)
    if condition.projects:
        raise UserError(
            f"condition={config.condition.name} adds to a linear score, and the score of loss={config.loss.name} is an "
            f"energy: condition=concat"
        )
    model = config.model
    if hasattr(trunk, "head") or "source_shape" in inspect.signature(parts.class_of(model.generator, "")).parameters:
        raise UserError(
            f"loss={config.loss.name} makes an auto-encoder of the critic, with the generator as its decoder: "
            "model=dcgan (or resnet, mlp), or loss=lsgan"
        )
    of_critic, of_decoder = model.critic.arguments, model.generator
    if "norm" in of_critic and of_decoder.arguments.get("norm", "none") != "none":
        of_decoder = of_decoder.replace(norm=of_critic["norm"])  # the decoder is part of the critic
    size = {"latent_size": model.code_size, "sample_shape": sample_shape}
    decoder = parts.build(of_decoder, "model.generator", nn.Module, **size)
    return EnergyCritic(trunk, decoder, model.code_size, loss.energy, heads)


def _network(config: RunConfig, player: str, **given: Any) -> nn.Module:
    return parts.build(getattr(config.model, player), f"model.{player}", nn.Module, **given)


def build_optimizers(
    config: RunConfig, game: Game, device: torch.device | None = None
) -> dict[str, torch.optim.Optimizer]:
    """Build each player's optimizer of exactly the parameters that it moves.

    Args:
        config: resolved.
        game: whose players are trained.
        device: of the weights; None: meta, and nothing is computed.
    """
    made = {}
    for player, found in game.players().items():
        part, key = getattr(config.optimizer, player), f"optimizer.{player}"
        fast = _fast(config, part, key)
        if game.schedule.moves_rates and config.runtime.engine == "cuda_graph" and device is not None:
            fast["lr"] = torch.tensor(part.arguments["lr"], device=device)
            part = Part.of(part.target, {name: value for name, value in part.arguments.items() if name != "lr"})
        made[player] = parts.build(part, key, torch.optim.Optimizer, params=list(found.values()), **fast)
    return made


def _fast(config: RunConfig, part: Part, key: str) -> dict[str, Any]:
    """All parameters in one operation and nothing counted on the host, where the config does not say otherwise."""
    accepted, given = inspect.signature(parts.class_of(part, key)).parameters, part.arguments
    found = {"foreach": True} if "foreach" in accepted and not {"foreach", "fused"} & set(given) else {}
    if config.runtime.device.startswith("cuda") and "capturable" in accepted and "capturable" not in given:
        found["capturable"] = True
    return found


def _asked(key: str, part: Part, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ValueError as error:
        raise UserError(f"{key} ({part.name}): {error}") from error
