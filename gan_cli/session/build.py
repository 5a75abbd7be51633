"""From a config to objects: resolves every `auto`, refuses what cannot work, and builds the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.optim import Optimizer

from gan_cli.conditions.base import EXAMPLES
from gan_cli.config import parts
from gan_cli.config.identity import with_absolute_places
from gan_cli.config.schema import Part, RunConfig
from gan_cli.constraints.base import Constraint
from gan_cli.data.flipped import Flipped
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.inputs.base import Input
from gan_cli.latents.base import Latent
from gan_cli.losses.base import Loss
from gan_cli.models.initial import Undrawn
from gan_cli.models.layers import norms_of
from gan_cli.schedules.schedule import Schedule
from gan_cli.session import engines, runtime, single_parts
from gan_cli.session.compatibility import no_labels, refuse, refuse_frozen, with_label_kind
from gan_cli.session.given import Given
from gan_cli.session.initial import begin_with
from gan_cli.session.networks import Parts, Shapes, build_game, build_optimizers, is_foreign, settled
from gan_cli.session.periodic_evaluation import Evaluation, TagEvaluation, prepare, prepare_tags
from gan_cli.session.trial import try_networks
from gan_cli.training.ema import MovingAverage
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Updates

Outlines = dict[tuple[str, Shapes], tuple[Game, Part]]  # what `build_game` returns, by the settings that it reads
_NOT_OF_NETWORKS = {"optimizer", "train", "seed", "run_dir"}  # settings that networks without values do not depend on


@dataclass(frozen=True)
class Plan:
    """A config that has passed every check short of reading data.

    Attributes:
        config: with every `auto` resolved that needs no data; a run's config.yaml holds it.
        parts: built.
        device: where the run trains.
        needs_labels: the networks read the class of a sample.
        warnings: what the literature would warn of.
        engine: what runs the steps, and why.
        notes: what building the state has to report.
    """

    config: RunConfig
    parts: Parts
    device: torch.device
    needs_labels: bool
    warnings: list[str]
    engine: engines.EngineChoice
    notes: list[str] = dataclasses.field(default_factory=list)

    def open(self) -> tuple[Plan, RealData]:
        """Read the data, and resolve what depends on them.

        Raises:
            UserError: data that are missing, corrupt, or fewer than a batch.
        """
        config, task = self.config, self.parts.task
        opening = (config.train.batch_size, config.seed, self.device)
        data = task.open(self.parts.dataset, *opening)
        if getattr(self.parts.dataset, "flip", False):
            data = dataclasses.replace(data, train=Flipped(data.train, *opening))
        if self.needs_labels and not data.n_classes:
            raise no_labels(config, self.parts.dataset)
        if config.dataset.arguments.get("channels") == "auto":
            config = config.replace(dataset=config.dataset.replace(channels=data.shape[0]))
        if task.needs_extractor:
            runtime.apply(config.runtime)
            chosen = single_parts.extractor(config).choose(data)
            task.use(single_parts.loaded(chosen, self.device))
            config = config.replace(extractor=_named(config.extractor, chosen))
        return dataclasses.replace(self, config=config), task.samples_of(data, *opening)

    def evaluation(self, data: RealData) -> tuple[Plan, Evaluation | TagEvaluation | None]:
        """Prepare what `evaluate.every_steps` asks for, with the extractor that suits the data; None: nothing.

        Raises:
            UserError: no extractor for the data, or too few samples.
        """
        if not self.config.evaluate.every_steps:
            return self, None
        if self.parts.task.reads == "vector":
            return self, prepare_tags(self.config, data)
        runtime.apply(self.config.runtime)
        named = single_parts.extractor(self.config)
        chosen = named.choose(data) if len(data.shape) == 3 else None
        found = prepare(self.config, self.parts.dataset, chosen, self.device, self.parts.task)
        if chosen is None:
            return self, found
        part = _named(self.config.extractor, chosen)
        return dataclasses.replace(self, config=self.config.replace(extractor=part)), found

    def state(self, data: RealData, is_new: bool = True) -> TrainState:
        """Build what is trained, as `state_for` does, and try networks that are not of this package on two samples.

        Args:
            data: opened.
            is_new: begin with the weights of `init_from`, where the config names a run; False: a checkpoint follows.

        Raises:
            UserError: there is no such run, or nothing of it fits.
        """
        state = self.state_for(data.shape, data.n_classes, data.source_shape)
        if (condition := state.game.condition).reads_vectors:
            condition.examples.copy_(data.fixed(EXAMPLES).y)
        try_networks(self.config, state.game, data)
        if is_new and self.config.init_from is not None:
            self.notes.append(begin_with(state, self.config))
        return state

    def state_for(
        self, sample_shape: tuple[int, ...], n_classes: int, source_shape: tuple[int, ...] | None = None
    ) -> TrainState:
        """Build the networks from the run's seed, their optimizers and their moving average, on the device.

        Args:
            sample_shape: (C, H, W) or (D,) of the data.
            n_classes: of the labels, 0 for none.
            source_shape: of what the generator reads beside z where the data bring it.

        Raises:
            GanError: too little memory.
        """
        runtime.apply(self.config.runtime)
        try:
            return self._state(self.shapes(sample_shape, n_classes, source_shape), self.device)
        except RuntimeError as error:
            raise runtime.out_of_memory(error, self.config) or error from error

    def outline(
        self, sample_shape: tuple[int, ...], n_classes: int, source_shape: tuple[int, ...] | None = None
    ) -> TrainState:
        """Build what `state_for` builds, on the meta device where possible: names, shapes and types without values."""
        with _without_values(self.config):
            return self._state(self.shapes(sample_shape, n_classes, source_shape), None)

    def shapes(self, sample: tuple[int, ...], n_classes: int, source: tuple[int, ...] | None = None) -> Shapes:
        """Return what the networks are built for; arguments as for `state_for`."""
        return Shapes(sample, n_classes, source or self.parts.task.source_shape(sample))

    def _state(self, shapes: Shapes, device: torch.device | None) -> TrainState:
        game, _ = build_game(self.config, self.parts, shapes)
        if device is not None:
            game = game.to(device)
            for player in ("generator", "critic") if len(shapes.sample) == 3 else ():
                # Any other module may read its maps in torch's own order, by `view`.
                taken = ("sample_shape", "source_shape")
                if any(parts.takes(getattr(self.config.model, player), f"model.{player}", name) for name in taken):
                    getattr(game, player).to(memory_format=torch.channels_last)
        train = self.config.train
        halflife = train.ema_halflife_images
        ema = MovingAverage(game.generator, halflife, train.batch_size, train.ema_statistics) if halflife else None
        return TrainState(game, build_optimizers(self.config, game, device), ema, train.steps)


def check(
    config: RunConfig,
    sample_shape: tuple[int, ...] | None = None,
    n_classes: int | None = None,
    source_shape: tuple[int, ...] | None = None,
    given: Given | None = None,
    outlines: Outlines | None = None,
) -> Plan:
    """Resolve every `auto` and refuse what cannot be built or cannot mean anything, before data are read.

    Args:
        config: validated; its runtime may be resolved already.
        sample_shape: (C, H, W) or (D,) where it is known; None: the dataset is asked.
        n_classes: of the labels where it is known; None: the dataset is asked.
        source_shape: of what the generator reads beside z, where the data bring it and the sample_shape is given.
        given: what Python gives in the place of parts; None: nothing.
        outlines: networks without values that earlier calls have built; these and new ones are shared. None: no call's.

    Raises:
        UserError: an impossible combination, or hardware that is not there.
    """
    config = config.replace(runtime=runtime.resolve(config.runtime))
    built = _built(config, given)
    if sample_shape is None:
        shape, source = built.task.expected_shapes(built.dataset)
    else:
        shape, source = tuple(sample_shape), source_shape or built.task.source_shape(sample_shape)
    config = _resolved(config, built, shape)
    if n_classes is None:
        n_classes = built.task.expected_classes(built.dataset)
    needs_labels = parts.class_of(config.condition, "condition").needs_labels
    if needs_labels and n_classes == 0:
        raise no_labels(config, built.dataset)
    if needs_labels:
        config = with_label_kind(config, built.task.expected_labels(built.dataset) if sample_shape is None else None)
    game, config = _outlined(config, built, Shapes(shape, n_classes or 2, source), outlines)  # 2: any number will do
    runtime.require_memory(game, config)
    refuse_frozen(config, game)
    if config.train.ema_statistics == "average" and not norms_of(game.generator):
        raise UserError(f"train.ema_statistics=average: {config.model.generator.name} has no batch norm; leave it out")
    optimizers = build_optimizers(config, game)
    refuse(config, game, built.updates, optimizers)
    engine = engines.choose(config.runtime, optimizers, parts.own_code(config), built.schedule)
    config = config.replace(runtime=config.runtime.replace(engine=engine.engine))
    advice = _advice(config, built, optimizers)
    return Plan(config, built, torch.device(config.runtime.device), needs_labels, advice, engine)


def _built(config: RunConfig, given: Given | None) -> Parts:
    """Construct the parts that need no shape of the samples."""
    return Parts(
        single_parts.dataset(config, given),
        parts.build(config.loss, "loss", Loss),
        parts.build(config.constraint, "constraint", Constraint),
        parts.build(config.latent, "latent", Latent),
        parts.build(config.input, "input", Input),
        parts.build(config.updates, "updates", Updates),
        single_parts.task(config),
        parts.build(config.schedule, "schedule", Schedule),
        given or Given(),
    )


def _outlined(config: RunConfig, built: Parts, shapes: Shapes, outlines: Outlines | None) -> tuple[Game, RunConfig]:
    """Build the networks without values, unless that was done, and resolve the condition.

    Raises:
        UserError: they cannot be built for samples of this shape.
    """
    outlines = {} if outlines is None else outlines
    key = config.model_dump_json(exclude=_NOT_OF_NETWORKS), shapes
    if key not in outlines:
        try:
            with _without_values(config):
                outlines[key] = build_game(config, built, shapes)
        except (RuntimeError, OverflowError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"these networks cannot be built for samples of {list(shapes.sample)}: {reason}") from error
    game, condition = outlines[key]
    return game, config.replace(condition=condition)


def _advice(config: RunConfig, built: Parts, optimizers: Mapping[str, Optimizer]) -> list[str]:
    """Return what a user should know of settings that work, but not as well as others, or without effect."""
    advice = built.constraint.advice(optimizers["critic"].defaults)
    if built.schedule.moves_average and config.train.ema_halflife_images is None:
        advice.append(
            f"schedule.ema_start={built.schedule.ema_start} has no effect, since the run keeps no moving average; "
            "train.ema_halflife_images=10000 keeps one"
        )
    return advice


def _named(part: Part, chosen: Extractor) -> Part:
    """Return the extractor that was chosen as a part; one that the config names stays as it is."""
    target = f"{type(chosen).__module__}.{type(chosen).__name__}"
    return part if part.target == target else Part.of(target, {})


@contextmanager
def _without_values(config: RunConfig) -> Iterator[None]:
    """Build networks for their shapes alone; those of the user's own as they are, since their code may read values."""
    if is_foreign(config.model.generator) or is_foreign(config.model.critic):
        yield
        return
    with torch.device("meta"), Undrawn():
        yield


def _resolved(config: RunConfig, built: Parts, shape: tuple[int, ...]) -> RunConfig:
    """Return the config with every `auto` resolved that depends on other parts or on the shape of the samples."""
    constraint, loss = built.constraint, built.loss
    model = config.model
    for network in ("critic", "generator"):
        part: Part = getattr(model, network)
        if part.arguments.get("norm") == "auto":
            without = constraint.needs_per_image_gradients or constraint.critic_norm == "none" or loss.energy
            norm = "none" if network == "critic" and without else "batch"
            model = model.replace(**{network: part.replace(norm=norm)})
    kernels = (
        ("torch" if parts.own_code(config) else "fast") if config.runtime.kernels == "auto" else config.runtime.kernels
    )
    return with_absolute_places(config).replace(
        model=model,
        constraint=settled(config.constraint, constraint, constraint.resolve(shape)),
        latent=settled(config.latent, built.latent, built.latent.resolve(shape)),
        runtime=config.runtime.replace(kernels=kernels),
    )
