"""The only place where a config becomes objects."""

from __future__ import annotations

import copy
import importlib
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from gan_cli import hardware
from gan_cli.constraints.base import Constraint
from gan_cli.data.source import Dataset, RealData
from gan_cli.errors import UserError
from gan_cli.latents.prior import Latent
from gan_cli.losses.base import Loss
from gan_cli.models.condition import Unconditional
from gan_cli.models.critic import Critic
from gan_cli.rng import seed_of
from gan_cli.training.ema import MovingAverage
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Updates

Settings = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """A config that has passed every check short of reading data.

    Attributes:
        settings: with every `auto` resolved; frozen into the run's config.yaml.
        dataset: not yet opened.
        device: where the run trains.
        warnings: what the literature would warn of.
    """

    settings: Settings
    dataset: Dataset
    device: torch.device
    warnings: list[str]

    def open(self) -> RealData:
        """Read the data, and freeze what only they could tell.

        Raises:
            UserError: data that are missing, corrupt, or fewer than a batch.
        """
        data = self.dataset.open(self.settings["train"]["batch_size"], self.settings["seed"], self.device)
        if self.settings["dataset"].get("channels") == "auto":
            self.settings["dataset"]["channels"] = data.shape[0]
        return data

    def state(self, data: RealData) -> TrainState:
        """Build what is trained; see `state`."""
        hardware.apply(self.settings["runtime"])
        return state(self.settings, data.shape, self.device)


def check(settings: Settings, sample_shape: tuple[int, ...] | None = None) -> Plan:
    """Resolve every `auto` and refuse what cannot be built or cannot mean anything, before data are read.

    Args:
        settings: validated.
        sample_shape: (C, H, W) or (D,) where it is known; None: the dataset is asked.

    Raises:
        UserError: an impossible combination, or hardware that is not there.
    """
    settings = copy.deepcopy(settings)
    runtime = settings["runtime"] = hardware.resolve(settings["runtime"])
    constraint = _make(settings, "constraint", Constraint)
    if settings["model"]["critic"].get("norm") == "auto":
        settings["model"]["critic"]["norm"] = "none" if constraint.needs_per_image_gradients else "batch"
    dataset = _make(settings, "dataset", object)
    if not callable(getattr(dataset, "open", None)):
        raise UserError(f"dataset={settings['dataset']['_target_']}: not a dataset; `gan list dataset` names some")
    if settings["dataset"].get("path"):
        settings["dataset"]["path"] = os.path.abspath(settings["dataset"]["path"])
    sample_shape = tuple(sample_shape or dataset.expected_shape())
    settings["constraint"] |= constraint.resolve(sample_shape)
    settings["latent"] |= _make(settings, "latent", Latent).resolve(sample_shape)
    with torch.device("meta"):
        game = _game(settings, sample_shape)
    _optimizers(settings, game)
    _make(settings, "updates", Updates)
    if constraint.needs_per_image_gradients and (name := _batch_norm(game.critic)):
        raise UserError(
            f"constraint={_option(settings['constraint'])} needs the critic's gradient at each image, but {name} of "
            f"model.critic mixes the images of a batch: model.critic.norm=none (or layer)"
        )
    return Plan(settings, dataset, torch.device(runtime["device"]), constraint.advice(settings["optimizer"]["critic"]))


def state(settings: Settings, sample_shape: tuple[int, ...], device: torch.device) -> TrainState:
    """Build the networks from the run's seed, their optimizers and their moving average, on the device.

    Args:
        settings: as `check` resolved them.
        sample_shape: (C, H, W) or (D,) of the data.
        device: where everything lives; weights are drawn on the CPU, so they are the same on every device.

    Raises:
        GanError: too little memory.
    """
    try:
        return _state(settings, sample_shape, device)
    except RuntimeError as error:
        raise hardware.out_of_memory(error, settings) or error from error


def _state(settings: Settings, sample_shape: tuple[int, ...], device: torch.device) -> TrainState:
    game = _game(settings, sample_shape).to(device)
    if len(sample_shape) == 3:
        game = game.to(memory_format=torch.channels_last)
    train = settings["train"]
    halflife = train["ema_halflife_images"]
    ema = MovingAverage(game.generator, halflife, train["batch_size"]) if halflife else None
    return TrainState(game, _optimizers(settings, game), ema, train["steps"])


def updates(settings: Settings) -> Updates:
    """Build the update rule."""
    return _make(settings, "updates", Updates)


def _game(settings: Settings, sample_shape: tuple[int, ...]) -> Game:
    latent = _make(settings, "latent", Latent)
    loss = _make(settings, "loss", Loss)
    constraint = _make(settings, "constraint", Constraint)
    with _seeded(settings, "generator"):
        generator = _make(settings, "model.generator", nn.Module, latent_size=latent.size, sample_shape=sample_shape)
    with _seeded(settings, "critic"):
        trunk = _make(settings, "model.critic", nn.Module, sample_shape=sample_shape)
        for attribute in ("n_features", "normal_init"):
            if not hasattr(trunk, attribute):
                raise UserError(
                    f"model.critic={settings['model']['critic']['_target_']}: has no {attribute}, not a trunk"
                )
        critic = Critic(trunk, loss.heads())
    constraint.parametrize(critic)
    condition = _make(settings, "condition", Unconditional)
    dtype = torch.bfloat16 if settings["runtime"]["precision"] == "bf16" else None
    return Game(generator, critic, loss, constraint, latent, condition, dtype)


def _optimizers(settings: Settings, game: Game) -> dict[str, torch.optim.Optimizer]:
    networks = {"critic": game.critic, "generator": game.generator}
    return {
        player: _make(
            settings, f"optimizer.{player}", torch.optim.Optimizer, params=list(network.parameters()), **_foreach(spec)
        )
        for player, network in networks.items()
        for spec in [settings["optimizer"][player]]
    }


def _foreach(spec: Mapping[str, Any]) -> dict[str, bool]:
    """All parameters in one operation, where the optimizer can and the config does not say otherwise."""
    accepted = inspect.signature(_class_of(spec["_target_"], "optimizer")).parameters
    return {"foreach": True} if "foreach" in accepted and not {"foreach", "fused"} & set(spec) else {}


@contextmanager
def _seeded(settings: Settings, player: str) -> Iterator[None]:
    """Weights drawn inside depend on (seed, player) alone, and torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings["seed"], "weights", player))
        yield


def _batch_norm(critic: nn.Module) -> str | None:
    mixing = (nn.modules.batchnorm._BatchNorm,)
    return next((type(m).__name__ for m in critic.modules() if isinstance(m, mixing)), None)


def _option(spec: Mapping[str, Any]) -> str:
    return spec["_target_"].rpartition(".")[2]


def _class_of(target: str, key: str) -> type:
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{key}._target_={target}: {error}") from error
    if not inspect.isclass(found):
        raise UserError(f"{key}._target_={target}: not a class")
    return found


def _make(settings: Settings, key: str, role: type[T], **supplied: Any) -> T:
    """Construct the part at a key of the config; its `_target_` has passed the allow-list of `targets` already."""
    spec = settings
    for part in key.split("."):
        spec = spec[part]
    cls = _class_of(spec["_target_"], key)
    if not issubclass(cls, role):
        raise UserError(f"{key}._target_={spec['_target_']}: not a {role.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise UserError(f"{key}._target_={spec['_target_']}: the class lacks the methods it must have: {missing}")
    arguments = {name: value for name, value in spec.items() if name != "_target_"}
    try:
        return cls(**arguments, **supplied)
    except ValueError as error:
        raise UserError(f"{key} ({cls.__name__}): {error}") from error
