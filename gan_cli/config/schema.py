"""The typed config of a run: its keys, their types and ranges. Imports no torch."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat

Count = Annotated[int, Field(ge=1, le=2**40, description="a whole number of at least 1")]
Seed = Annotated[int, Field(ge=0, lt=2**63, examples=[0], description="a whole number of at least 0 and below 2**63")]
Device = Annotated[
    str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", examples=["auto"], description="auto, cpu, cuda or cuda:N")
]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Threads = Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]
_HOME = AfterValidator(os.path.expanduser)  # a shell leaves the ~ of `out=~/x` as it is
Run = Annotated[str, Field(min_length=1, examples=["runs/NAME"], description="a run directory"), _HOME]
Text = Annotated[str, Field(min_length=1, examples=["PATH"], description="a path"), _HOME]
Prefixes = Annotated[list[str], Field(examples=[["my_losses"]], description="a list of module names")]
SweepName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$",
        examples=["clips"],
        description="a directory's name of letters, digits, dots, hyphens and underscores",
    ),
]
Steps = Annotated[Count, Field(examples=[2000])]

ConfigType = TypeVar("ConfigType", bound="Config")


class Config(BaseModel):
    """A frozen part of a config: no unknown keys, no values of other types, no infinities."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    def plain(self) -> dict[str, Any]:
        """Return the config as config.yaml holds it: mappings, lists, text, numbers, true, false and null."""
        return self.model_dump(mode="json", by_alias=True)

    def replace(self: ConfigType, **values: Any) -> ConfigType:
        """Return a copy with other values, which are not checked again."""
        return self.model_copy(update=values)


class Part(BaseModel):
    """A class by its dotted name, and the keyword arguments it is built with; `parts.check` checks both.

    Attributes:
        target: `_target_` in YAML.
    """

    model_config = ConfigDict(extra="allow", frozen=True, serialize_by_alias=True)

    target: str = Field(
        alias="_target_",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
        description="a class's dotted name",
        examples=["my_losses.MyLoss"],
    )

    @classmethod
    def of(cls, target: str, arguments: dict[str, Any]) -> Part:
        """Return a part of a class and its arguments."""
        return cls.model_validate({**arguments, "_target_": target})

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, a copy."""
        return dict(self.model_extra or {})

    @property
    def name(self) -> str:
        """The name of the class, such as WeightClip."""
        return self.target.rpartition(".")[2]

    def replace(self, **arguments: Any) -> Part:
        """Return a copy with other arguments."""
        return self.of(self.target, {**self.arguments, **arguments})


GENERATE = Part.of("gan_cli.tasks.base.Generate", {})  # samples from noise
CONSTANT = Part.of("gan_cli.schedules.schedule.Schedule", {})  # nothing changes with the steps
SUITABLE = Part.of("gan_cli.extractors.auto.Auto", {})  # the extractor that suits the data


class Train(Config):
    """How long, and on how much at a time."""

    steps: Steps
    batch_size: Annotated[Count, Field(examples=[64])]
    accumulate: Annotated[Count, Field(examples=[1])]
    ema_halflife_images: Annotated[PositiveFloat, Field(examples=[10_000])] | None
    ema_statistics: Literal["copy", "average"] = "copy"


class Log(Config):
    """Intervals in steps; pictures of `sample_count` samples, auto: as many as suit the data; where they are shown."""

    every_steps: Annotated[Count, Field(examples=[10])]
    samples_every_steps: Annotated[Count, Field(examples=[100])]
    sample_count: Literal["auto"] | Annotated[Count, Field(examples=[64])]
    to: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(default=["tensorboard"], examples=[["tensorboard"]])


class Evaluate(Config):
    """Scores of the generator while it trains: every so many steps, 0: never; of how many samples, against which."""

    every_steps: Annotated[NonNegativeInt, Field(examples=[500])] = 0
    count: Literal["auto"] | Annotated[int, Field(ge=6, examples=[1000])] = 1000
    split: Literal["train", "heldout"] = "train"
    w1_count: Annotated[Count, Field(examples=[256])] = 256


class Checkpoint(Config):
    """When to save (null: not by that), what to keep, and whether the training waits for the disk."""

    every_steps: Annotated[Count, Field(examples=[1000])] | None
    every_seconds: Annotated[PositiveFloat, Field(examples=[300])] | None
    keep: Annotated[int, Field(ge=2)]
    milestone_every_steps: Annotated[Count, Field(examples=[10_000])] | None
    best: Annotated[str, Field(min_length=1, examples=["quality/modes"], description="a tag of metrics.jsonl")] | None
    best_is: Literal["max", "min"]
    background: bool


class Runtime(Config):
    """The machine."""

    device: Device
    precision: Precision
    engine: Literal["auto", "eager", "compile", "cuda_graph"]
    threads: Threads
    kernels: Literal["auto", "fast", "torch"] = "auto"
    batch_norm: Literal["sync", "local"] = "sync"
    profile: bool = False


class Model(Config):
    """The two networks, the width that their blocks refer to, and the code's size of an auto-encoder critic."""

    width: Annotated[Count, Field(examples=[64])] | None = None
    code_size: Annotated[Count, Field(examples=[64])] | None = None
    generator: Part
    critic: Part


class Optimizer(Config):
    """An optimizer for each network and the learning rate that their blocks refer to."""

    lr: Annotated[PositiveFloat, Field(examples=[5e-5])]
    generator: Part
    critic: Part


class Search(Config):
    """What Optuna looks for, and how."""

    metric: Annotated[str, Field(min_length=1, examples=["quality/modes"], description="a tag of metrics.jsonl")] | None
    direction: Literal["minimize", "maximize"]
    n_trials: Annotated[Count, Field(examples=[20])]
    sampler: Literal["tpe", "gp", "random"]
    seed: Seed
    pruner: Literal["median", "none"]
    startup_trials: NonNegativeInt
    warmup_steps: Literal["auto"] | NonNegativeInt


class Sweep(Config):
    """A sweep's directory below runs/, its jobs at once, and its search; a run's settings are without it."""

    name: SweepName | None = None
    jobs: Literal["auto"] | Annotated[Count, Field(examples=[2])] = "auto"
    search: Search | None = None


class RunConfig(Config):
    """A run: what `gan train` takes. A run's config.yaml holds it without `sweep`, which is about the command."""

    seed: Seed
    run_dir: Text | None
    resume: Literal["never", "auto"]
    force: bool
    allow_targets: Prefixes
    init_from: Run | None = None
    init_weights: Literal["auto", "ema", "raw"] = "auto"
    freeze: Annotated[list[str], Field(examples=[["critic.trunk.layers.0"]], description="a list of names")] = []
    train: Train
    log: Log
    evaluate: Evaluate = Field(default_factory=Evaluate)
    checkpoint: Checkpoint
    runtime: Runtime
    model: Model
    optimizer: Optimizer
    loss: Part
    constraint: Part
    updates: Part
    latent: Part
    condition: Part
    input: Part
    dataset: Part
    task: Part = GENERATE
    schedule: Part = CONSTANT
    degradation: Part | None = None
    dataset_b: Part | None = None
    extractor: Part = SUITABLE
    sweep: Sweep = Field(default_factory=Sweep, exclude=True)
