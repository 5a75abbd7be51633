"""Builds the networks, the game and the optimizers that a resolved config names."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from gan_cli.conditions.base import Unconditional
from gan_cli.config import parts
from gan_cli.config.schema import Part, RunConfig
from gan_cli.constraints.base import Constraint
from gan_cli.core.text import described
from gan_cli.data.source import Dataset
from gan_cli.errors import UserError
from gan_cli.inputs.base import Input
from gan_cli.latents.base import Latent
from gan_cli.losses.base import Loss
from gan_cli.models.critic import Critic, EnergyCritic, ScoreCritic
from gan_cli.models.derivatives import differentiated
from gan_cli.models.initial import seeded
from gan_cli.schedules.schedule import Schedule
from gan_cli.session.given import Given
from gan_cli.tasks.base import Generate
from gan_cli.training.game import Game
from gan_cli.updates.base import Updates

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """What a config names, each part built once; the networks and their condition need the data's shape and classes.

    Attributes:
        given: networks in the place of those that the config names.
    """

    dataset: Dataset
    loss: Loss
    constraint: Constraint
    latent: Latent
    input: Input
    updates: Updates
    task: Generate
    schedule: Schedule
    given: Given = field(default_factory=Given)


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
    require_given(config, built.given)
    sample_shape, n_classes, _ = shapes
    latent, given = built.latent, built.given
    loss, task, constraint, of_input = (  # their buffers belong to one state
        copy.deepcopy(part) for part in (built.loss, built.task, built.constraint, built.input)
    )
    task.build(sample_shape, shapes.source)
    condition = parts.build(config.condition, "condition", Unconditional, n_classes=n_classes)
    named = config.condition
    with seeded(config.seed, "generator"):
        size = condition.latent_size(latent.total_size)
        generator = task.players(lambda: _generator(config, given, task, size, shapes))
        named = settled(named, condition, _asked("condition", named, lambda: condition.resolve(generator)))
        if (resized := condition.latent_size(latent.total_size)) != size:
            generator = task.players(lambda: _generator(config, given, task, resized, shapes))
        generator = condition.adapt(generator)
    heads = _asked("loss", config.loss, lambda: loss.heads(latent)) | condition.critic_heads
    with seeded(config.seed, "critic"):
        seen = of_input.critic_shape(task.critic_shape(sample_shape, shapes.source))
        critic = task.players(lambda: _critic(config, given, sample_shape, seen, loss, condition, heads))
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


def _generator(config: RunConfig, given: Given, task: Generate, latent_size: int, shapes: Shapes) -> nn.Module:
    """Make the generator: of z, of z and a vector, or of a picture with z's numbers as further channels.

    Raises:
        UserError: the model reads something else than the task gives it.
    """
    part = config.model.generator
    reads_image = task.reads == "image"
    if not is_foreign(part) and reads_image != parts.takes(part, "model.generator", "source_shape"):
        raise UserError(
            f"model.generator={part.target}: it reads z alone, and task={config.task.name} gives it a picture: "
            "model=unet (or srresnet)"
            if reads_image
            else f"model.generator={part.target}: it reads a picture, and task={config.task.name} gives it none: "
            + ("model=mlp_mirza" if task.reads else "task=restore (or translate, cycle), or model=dcgan")
        )
    if reads_image:
        channels, *sides = shapes.source
        sizes = {"source_shape": (channels + latent_size, *sides), "sample_shape": shapes.sample}
        return _network(config, given, "generator", **sizes)
    if not (size := latent_size + (shapes.source[0] if task.reads == "vector" else 0)):
        raise UserError(f"latent={config.latent.name}: the generator would have nothing to read: latent=normal")
    return _network(config, given, "generator", latent_size=size, sample_shape=shapes.sample)


def _critic(
    config: RunConfig,
    given: Given,
    sample_shape: tuple[int, ...],
    seen_shape: tuple[int, ...],
    loss: Loss,
    condition: Unconditional,
    heads: Mapping[str, int],
) -> nn.Module:
    """Make the critic that the loss asks for from the model's trunk, and its decoder from the generator's family."""
    if loss.energy and condition.projects:
        raise UserError(
            f"condition={config.condition.name} adds to a linear score, and the score of loss={config.loss.name} is an "
            f"energy: condition=concat"
        )
    trunk = _network(config, given, "critic", sample_shape=condition.critic_shape(seen_shape))
    _require(config, trunk, loss, condition, heads)
    if not hasattr(trunk, "n_features"):
        return ScoreCritic(trunk)
    if loss.energy is None:
        return Critic(trunk, heads, condition.n_classes if condition.projects else 0)
    model = config.model
    if hasattr(trunk, "head") or parts.takes(model.generator, "model.generator", "source_shape"):
        raise UserError(
            f"loss={config.loss.name} makes an auto-encoder of the critic, with the generator as its decoder: "
            "model=dcgan (or resnet, mlp), or loss=lsgan"
        )
    of_critic, of_decoder = model.critic.arguments, model.generator
    if "norm" in of_critic and of_decoder.arguments.get("norm", "none") != "none":
        of_decoder = of_decoder.replace(norm=of_critic["norm"])  # the decoder is part of the critic
    decoder = _built(of_decoder, "model.generator", latent_size=model.code_size, sample_shape=sample_shape)
    return EnergyCritic(trunk, decoder, model.code_size, loss.energy, heads)


def _require(
    config: RunConfig, trunk: nn.Module, loss: Loss, condition: Unconditional, heads: Mapping[str, int]
) -> None:
    """Require of networks what the loss and the condition read of them.

    Raises:
        UserError: all that is missing.
    """
    model, readers, missing = config.model, [], []
    if loss.energy or heads.keys() - condition.critic_heads.keys() or (loss.critic_plays and not loss.reads_score):
        readers.append(f"loss={config.loss.name}")
    if condition.critic_heads or condition.projects:
        readers.append(f"condition={config.condition.name}")
    if readers and not hasattr(trunk, "n_features"):
        missing.append(f"model.critic ({name_of(model.critic)}) must return features (N, F), and have n_features = F")
    if loss.energy and model.code_size is None:
        missing.append("the size of its code must be given: +model.code_size=64")
    if loss.energy and not parts.takes(model.generator, "model.generator", "latent_size"):
        missing.append(
            f"model.generator ({name_of(model.generator)}) must take latent_size: the decoder is a second one"
        )
    if missing:
        verb = "read" if len(readers) > 1 else "reads"
        raise UserError(f"{' and '.join(readers)} {verb} features of the critic: {'; '.join(missing)}")


def require_given(config: RunConfig, given: Given) -> None:
    """Require the networks that no config builds, and no others.

    Raises:
        UserError: one was not given, or is one of this package.
    """
    for player in ("generator", "critic"):
        part = getattr(config.model, player)
        if part.target == parts.GIVEN and player not in given.networks:
            raise UserError(
                f"model.{player} ({name_of(part)}): this network is an object of Python, which no config builds; give "
                f"one like it again, as in gan_cli.load(RUN, {player}=module)"
            )
        if not is_foreign(part) and player in given.networks:
            raise UserError(f"{player}: the config of this run builds its own ({part.target}); leave it out")


def name_of(network: Part) -> str:
    """Return the name of a network's class, for messages."""
    return network.arguments["name"] if network.target == parts.GIVEN else network.target


def is_foreign(network: Part) -> bool:
    """Return whether a network is not one of this package."""
    return network.target == parts.GIVEN or not network.target.startswith("gan_cli.")


def _network(config: RunConfig, given: Given, player: str, **sizes: Any) -> nn.Module:
    """Build a network, or copy the one that Python gives, for training.

    Args:
        config: names it.
        given: may have it.
        player: generator or critic.
        **sizes: given to a class that takes them.
    """
    part, key = getattr(config.model, player), f"model.{player}"
    shown = f"{key} ({name_of(part)})"
    if (module := getattr(given, player)) is not None:
        try:
            network = copy.deepcopy(module).train()
        except Exception as error:
            raise UserError(f"{shown}: it cannot be copied: {described(error)}") from error
    else:
        network = _built(part, key, **sizes)
    if is_foreign(part):
        if any(map(is_lazy, network.parameters())):
            raise UserError(f"{shown}: it has lazy layers, whose sizes only a first batch shows; give their sizes")
        if not any(p.requires_grad for p in network.parameters()):
            raise UserError(f"{shown}: it has no weights to train")
    return network


def _built(part: Part, key: str, **sizes: Any) -> nn.Module:
    taken = {name: size for name, size in sizes.items() if parts.takes(part, key, name)}
    return parts.build(part, key, nn.Module, **taken)


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
