"""The only place where a config becomes objects."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from gan_cli.analysis.explore.base import Kind
from gan_cli.conditions.base import Unconditional
from gan_cli.config.construct import class_of, make
from gan_cli.config.identity import absolute
from gan_cli.constraints.base import Constraint
from gan_cli.core import hardware
from gan_cli.data.source import Dataset, RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Choice
from gan_cli.inputs.base import Input
from gan_cli.latents.base import Latent
from gan_cli.losses.base import Loss
from gan_cli.models.critic import Critic, EnergyCritic
from gan_cli.models.derivatives import differentiated
from gan_cli.models.initial import Undrawn, seeded
from gan_cli.session import engines
from gan_cli.session.compatibility import no_labels, option, refuse
from gan_cli.training import stepping
from gan_cli.training.ema import MovingAverage
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Updates

if TYPE_CHECKING:
    from gan_cli.session.periodic_evaluation import Evaluation

Settings = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """A config that has passed every check short of reading data.

    Attributes:
        settings: with every `auto` resolved; frozen into the run's config.yaml.
        dataset: not yet opened.
        device: where the run trains.
        needs_labels: the networks are told the class of a sample.
        warnings: what the literature would warn of.
        engine: what runs the steps, and why.
    """

    settings: Settings
    dataset: Dataset
    device: torch.device
    needs_labels: bool
    warnings: list[str]
    engine: engines.Choice

    def open(self) -> RealData:
        """Read the data, and freeze what only they could tell.

        Raises:
            UserError: data that are missing, corrupt, or fewer than a batch.
        """
        data = self.dataset.open(self.settings["train"]["batch_size"], self.settings["seed"], self.device)
        if self.needs_labels and not data.class_names:
            raise no_labels(self.settings)
        if self.settings["dataset"].get("channels") == "auto":
            self.settings["dataset"]["channels"] = data.shape[0]
        return data

    def evaluation(self, data: RealData) -> Evaluation | None:
        """Make ready what `evaluate.every_steps` asks for, and freeze the extractor that suits the data; None: nothing.

        Raises:
            UserError: no extractor for the data, or too few samples.
        """
        if not self.settings["evaluate"]["every_steps"]:
            return None
        from gan_cli.session.periodic_evaluation import prepare

        hardware.apply(self.settings["runtime"])
        named = extractor(self.settings)
        chosen = named.choose(data) if len(data.shape) == 3 else None
        found = prepare(self.settings, self.dataset, chosen, self.device)
        if chosen is not None and chosen is not named:
            self.settings["extractor"] = {"_target_": f"{type(chosen).__module__}.{type(chosen).__name__}"}
        return found

    def state(self, data: RealData) -> TrainState:
        """Build what is trained; see `state`."""
        hardware.apply(self.settings["runtime"])
        return state(self.settings, data.shape, self.device, len(data.class_names or ()))


def check(settings: Settings, sample_shape: tuple[int, ...] | None = None, n_classes: int | None = None) -> Plan:
    """Resolve every `auto` and refuse what cannot be built or cannot mean anything, before data are read.

    Args:
        settings: validated.
        sample_shape: (C, H, W) or (D,) where it is known; None: the dataset is asked.
        n_classes: of the labels where it is known; None: the dataset is asked.

    Raises:
        UserError: an impossible combination, or hardware that is not there.
    """
    settings = copy.deepcopy(settings)
    runtime = settings["runtime"] = hardware.resolve(settings["runtime"])
    constraint, loss = make(settings, "constraint", Constraint), make(settings, "loss", Loss)
    for network in ("critic", "generator"):
        if settings["model"][network].get("norm") == "auto":
            without = constraint.needs_per_image_gradients or constraint.critic_norm == "none" or loss.energy
            settings["model"][network]["norm"] = "none" if network == "critic" and without else "batch"
    dataset = make(settings, "dataset", object)
    if not callable(getattr(dataset, "open", None)):
        raise UserError(f"dataset={settings['dataset']['_target_']}: not a dataset; `gan list dataset` names some")
    if settings["dataset"].get("path"):
        settings["dataset"]["path"] = absolute(settings["dataset"]["path"])
    sample_shape = tuple(sample_shape or dataset.expected_shape())
    settings["constraint"] |= constraint.resolve(sample_shape)
    settings["latent"] |= make(settings, "latent", Latent).resolve(sample_shape)
    condition = make(settings, "condition", Unconditional, n_classes=0)
    if n_classes is None:
        n_classes = dataset.expected_classes() if hasattr(dataset, "expected_classes") else None
    if condition.needs_labels and n_classes == 0:
        raise no_labels(settings)
    try:
        with torch.device("meta"), Undrawn():
            game = _game(settings, sample_shape, n_classes or 2)  # 2: any number will do for the check
    except (RuntimeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"these networks cannot be built for samples of {list(sample_shape)}: {reason}") from error
    hardware.require_memory(game, settings)
    optimizers = _optimizers(settings, game)
    refuse(settings, game, updates(settings), optimizers)
    engine = engines.choose(settings, optimizers)
    runtime["engine"] = engine.engine
    advice = constraint.advice(optimizers["critic"].defaults)
    return Plan(settings, dataset, torch.device(runtime["device"]), condition.needs_labels, advice, engine)


def state(settings: Settings, sample_shape: tuple[int, ...], device: torch.device, n_classes: int = 0) -> TrainState:
    """Build the networks from the run's seed, their optimizers and their moving average, on the device.

    Args:
        settings: as `check` resolved them.
        sample_shape: (C, H, W) or (D,) of the data.
        device: where everything lives; weights are drawn on the CPU, so they are the same on every device.
        n_classes: of the labels, 0 for none.

    Raises:
        GanError: too little memory.
    """
    try:
        return _state(settings, sample_shape, device, n_classes)
    except RuntimeError as error:
        raise hardware.out_of_memory(error, settings) or error from error


def outline(settings: Settings, sample_shape: tuple[int, ...], n_classes: int) -> TrainState:
    """Build what `state` builds on the meta device: names, shapes and types, without memory or time for the values."""
    device = torch.device("meta")
    with device, Undrawn():
        return _state(settings, sample_shape, device, n_classes)


def _state(settings: Settings, sample_shape: tuple[int, ...], device: torch.device, n_classes: int) -> TrainState:
    game = _game(settings, sample_shape, n_classes).to(device)
    if len(sample_shape) == 3:
        game = game.to(memory_format=torch.channels_last)
    train = settings["train"]
    halflife = train["ema_halflife_images"]
    ema = MovingAverage(game.generator, halflife, train["batch_size"]) if halflife else None
    return TrainState(game, _optimizers(settings, game), ema, train["steps"])


def dataset(settings: Settings) -> Dataset:
    """Construct the dataset that a run's settings name, unopened."""
    return make(settings, "dataset", object)


def extractor(settings: Settings) -> Choice:
    """Construct the extractor that a command's settings name, or what chooses it by the data."""
    return make(settings, "extractor", Choice)


def kind(settings: Settings) -> Kind:
    """Construct the way of looking that `gan explore` is to take."""
    return make(settings, "kind", Kind)


def updates(settings: Settings) -> Updates:
    """Build the update rule."""
    return make(settings, "updates", Updates)


def _game(settings: Settings, sample_shape: tuple[int, ...], n_classes: int) -> Game:
    latent = make(settings, "latent", Latent)
    loss = make(settings, "loss", Loss)
    constraint = make(settings, "constraint", Constraint)
    condition = make(settings, "condition", Unconditional, n_classes=n_classes)
    with seeded(settings["seed"], "generator"):
        size = condition.latent_size(latent.total_size)
        generator = make(settings, "model.generator", nn.Module, latent_size=size, sample_shape=sample_shape)
        way = _resolved(settings, "condition", lambda: condition.resolve(generator))
        if way:
            settings["condition"] |= way
            condition = make(settings, "condition", Unconditional, n_classes=n_classes)
            if (resized := condition.latent_size(latent.total_size)) != size:
                generator = make(settings, "model.generator", nn.Module, latent_size=resized, sample_shape=sample_shape)
        generator = condition.adapt(generator)
    heads = _resolved(settings, "loss", lambda: loss.heads(latent)) | condition.critic_heads
    with seeded(settings["seed"], "critic"):
        critic = _critic(settings, sample_shape, loss, condition, heads)
        constraint.parametrize(critic)
    if not settings.get("allow_targets"):  # a loss of the user's own may differentiate whichever gradient it likes
        differentiated(generator, 1)
        if not any(phase.inner for phase in updates(settings).phases(0)):
            differentiated(critic, 2 if constraint.penalises else 1)
    shown = make(settings, "input", Input)
    _resolved(settings, "input", lambda: shown.check(sample_shape))
    dtype = torch.bfloat16 if settings["runtime"]["precision"] == "bf16" else None
    return Game(generator, critic, loss, constraint, latent, condition, shown, dtype)


def _critic(
    settings: Settings, sample_shape: tuple[int, ...], loss: Loss, condition: Unconditional, heads: Mapping[str, int]
) -> nn.Module:
    """Make the critic that the loss asks for from the model's trunk, and its decoder from the generator's family."""
    trunk_shape = condition.critic_shape(sample_shape)
    trunk = make(settings, "model.critic", nn.Module, sample_shape=trunk_shape)
    for attribute in ("n_features", "init_"):
        if not hasattr(trunk, attribute):
            raise UserError(f"model.critic={settings['model']['critic']['_target_']}: has no {attribute}, not a trunk")
    if loss.energy is None:
        return Critic(trunk, heads, condition.n_classes if condition.projects else 0)
    if condition.projects:
        raise UserError(
            f"condition={option(settings['condition'])} adds to a linear score, and the score of "
            f"loss={option(settings['loss'])} is an energy: condition=concat"
        )
    model = settings["model"]
    normalised = "norm" in model["critic"] and model["generator"].get("norm", "none") != "none"
    norm = {"norm": model["critic"]["norm"]} if normalised else {}  # the decoder is part of the critic
    code_size = model["code_size"]
    decoder_settings = {"decoder": {**model["generator"], **norm}}
    decoder = make(decoder_settings, "decoder", nn.Module, latent_size=code_size, sample_shape=sample_shape)
    return EnergyCritic(trunk, decoder, code_size, loss.energy, heads)


def _optimizers(settings: Settings, game: Game) -> dict[str, torch.optim.Optimizer]:
    stepping.construct_without_dynamo()
    made = {}
    for player, found in game.players().items():
        params, key = list(found.values()), f"optimizer.{player}"
        fast = _fast(settings, settings["optimizer"][player])
        made[player] = make(settings, key, torch.optim.Optimizer, params=params, **fast)
    return made


def _resolved(settings: Settings, key: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ValueError as error:
        raise UserError(f"{key} ({option(settings[key])}): {error}") from error


def _fast(settings: Settings, spec: Mapping[str, Any]) -> dict[str, bool]:
    """All parameters in one operation and nothing counted on the host, where the config does not say otherwise."""
    accepted = inspect.signature(class_of(spec["_target_"], "optimizer")).parameters
    found = {"foreach": True} if "foreach" in accepted and not {"foreach", "fused"} & set(spec) else {}
    if settings["runtime"]["device"].startswith("cuda") and "capturable" in accepted and "capturable" not in spec:
        found["capturable"] = True
    return found
