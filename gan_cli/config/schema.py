"""The typed settings of every command."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, create_model

Seed = Annotated[int, Field(ge=0, lt=2**63, examples=[0], description="a whole number of at least 0 and below 2**63")]
Device = Annotated[
    str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", examples=["auto"], description="auto, cpu, cuda or cuda:N")
]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Threads = Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]
Run = Annotated[str, Field(min_length=1, examples=["runs/NAME"], description="a run directory")]
Text = Annotated[str, Field(min_length=1, examples=["PATH"], description="a path")]
Prefixes = Annotated[list[str], Field(examples=[["my_losses"]], description="a list of module names")]
SweepName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$",
        examples=["clips"],
        description="a directory's name of letters, digits, dots, hyphens and underscores",
    ),
]
ClassKey = NonNegativeInt | Annotated[str, Field(min_length=1)]
Classes = Annotated[
    ClassKey | Annotated[list[ClassKey], Field(min_length=1)],
    Field(examples=[3], description="a class, or a list of classes as in y=[0,3], by number or name"),
]
Codes = Annotated[
    float | Annotated[list[float | None], Field(min_length=1)],
    Field(examples=[3], description="a code's value, or a list of them as in c=[3,null,0.5]"),
]
Steps = Annotated[PositiveInt, Field(examples=[2000])]
Resident = Literal["auto"] | bool
Block = dict[str, Any]
SUITABLE = {"_target_": "gan_cli.extractors.auto.Auto"}  # the extractor that suits the data


class Strict(BaseModel):
    """Neither unknown keys, nor values of other types, nor infinities."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Train(Strict):
    """How long, and on how much at a time."""

    steps: Steps
    batch_size: Annotated[PositiveInt, Field(examples=[64])]
    accumulate: Annotated[PositiveInt, Field(examples=[1])]
    ema_halflife_images: Annotated[PositiveFloat, Field(examples=[10_000])] | None


class Log(Strict):
    """Intervals in steps; pictures of `sample_count` samples, auto: as many as suit the data; where they are shown."""

    every_steps: Annotated[PositiveInt, Field(examples=[10])]
    samples_every_steps: Annotated[PositiveInt, Field(examples=[100])]
    sample_count: Literal["auto"] | Annotated[PositiveInt, Field(examples=[64])]
    to: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(default=["tensorboard"], examples=[["tensorboard"]])


class Evaluate(Strict):
    """Scores of the generator while it trains: every so many steps, 0: never; of how many samples, against which."""

    every_steps: Annotated[NonNegativeInt, Field(examples=[500])] = 0
    count: Literal["auto"] | Annotated[int, Field(ge=6, examples=[1000])] = 1000
    split: Literal["train", "heldout"] = "train"
    w1_count: Annotated[PositiveInt, Field(examples=[256])] = 256


class Checkpoint(Strict):
    """When to save (null: not by that), what to keep, and whether the training waits for the disk."""

    every_steps: Annotated[PositiveInt, Field(examples=[1000])] | None
    every_seconds: Annotated[PositiveFloat, Field(examples=[300])] | None
    keep: Annotated[int, Field(ge=2)]
    milestone_every_steps: Annotated[PositiveInt, Field(examples=[10_000])] | None
    best: Annotated[str, Field(min_length=1, examples=["quality/modes"], description="a tag of metrics.jsonl")] | None
    best_is: Literal["max", "min"]
    background: bool


class Runtime(Strict):
    """The machine."""

    device: Device
    precision: Precision
    engine: Literal["auto", "eager", "compile", "cuda_graph"]
    threads: Threads
    batch_norm: Literal["sync", "local"] = "sync"
    profile: bool = False


class Model(Strict):
    """The two networks, the width that their blocks refer to, and the code's size of an auto-encoder critic."""

    width: Annotated[PositiveInt, Field(examples=[64])] | None
    code_size: Annotated[PositiveInt, Field(examples=[64])]
    generator: Block
    critic: Block


class Optimizer(Strict):
    """An optimizer for each network and the learning rate that their blocks refer to."""

    lr: Annotated[PositiveFloat, Field(examples=[5e-5])]
    generator: Block
    critic: Block


class Search(Strict):
    """What Optuna looks for, and how."""

    metric: Annotated[str, Field(min_length=1, examples=["quality/modes"], description="a tag of metrics.jsonl")] | None
    direction: Literal["minimize", "maximize"]
    n_trials: Annotated[PositiveInt, Field(examples=[20])]
    sampler: Literal["tpe", "gp", "random"]
    seed: Seed
    pruner: Literal["median", "none"]
    startup_trials: NonNegativeInt
    warmup_steps: Literal["auto"] | NonNegativeInt


class Sweep(Strict):
    """A sweep's directory below runs/, its jobs at once, and its search; a run's settings are without it."""

    name: SweepName | None = None
    jobs: Literal["auto"] | Annotated[PositiveInt, Field(examples=[2])] = "auto"
    search: Search | None = None


class Settings(Strict):
    """A run: what `gan train` takes and a run's config.yaml holds."""

    seed: Seed
    run_dir: Text | None
    resume: Literal["never", "auto"]
    force: bool
    allow_targets: Prefixes
    train: Train
    log: Log
    evaluate: Evaluate = Field(default_factory=Evaluate)
    checkpoint: Checkpoint
    runtime: Runtime
    model: Model
    optimizer: Optimizer
    loss: Block
    constraint: Block
    updates: Block
    latent: Block
    condition: Block
    input: Block
    dataset: Block
    extractor: Block = SUITABLE
    sweep: Sweep = Field(default_factory=Sweep)


def _or_null(name: str, doc: str, fields: dict[str, Any]) -> type[Strict]:
    """Return a model in which every field may be null: as the run has it."""
    return create_model(name, __base__=Strict, __doc__=doc, **{key: (kind | None, ...) for key, kind in fields.items()})


def _fields(model: type[Strict]) -> dict[str, Any]:
    return {key: get_type_hints(model, include_extras=True)[key] for key in model.model_fields}


ResumeTrain = _or_null("ResumeTrain", "How long.", {"steps": Steps})
ResumeLog = _or_null("ResumeLog", "As in `Log`.", _fields(Log))
ResumeEvaluate = _or_null("ResumeEvaluate", "As in `Evaluate`.", _fields(Evaluate))
ResumeCheckpoint = _or_null("ResumeCheckpoint", "As in `Checkpoint`.", _fields(Checkpoint))
ResumeRuntime = _or_null("ResumeRuntime", "As in `Runtime`.", _fields(Runtime))
ResumeDataset = _or_null("ResumeDataset", "Where the same data lie.", {"path": Text, "resident": Resident})


class ResumeSettings(Strict):
    """What `gan resume` takes: the keys of a run that may change when it is continued, null where they do not."""

    run: Run
    force: bool
    allow_targets: Prefixes
    train: ResumeTrain
    log: ResumeLog
    evaluate: ResumeEvaluate
    checkpoint: ResumeCheckpoint
    runtime: ResumeRuntime
    dataset: ResumeDataset


class LookSettings(Strict):
    """What every command takes that draws from a run's generator."""

    run: Run
    out: Text | None
    seed: Seed
    weights: Literal["auto", "ema", "raw"]
    checkpoint: Literal["latest", "best"] | NonNegativeInt
    batch_size: Annotated[PositiveInt, Field(examples=[250])]
    device: Device
    allow_targets: Prefixes


class SampleSettings(LookSettings):
    """What `gan sample` takes."""

    count: Annotated[PositiveInt, Field(examples=[64])]
    format: Literal["grid", "png", "npz"]
    y: Classes | None = None
    c: Codes | None = None
    truncation: Annotated[PositiveFloat, Field(examples=[2.0])] | None = None


class EvaluateSettings(LookSettings):
    """What `gan evaluate` takes."""

    extractor: Block
    count: Literal["auto"] | Annotated[int, Field(ge=6, examples=[5000])]
    w1_count: Annotated[PositiveInt, Field(examples=[1024])]
    split: Literal["train", "heldout"]


class CollapseSettings(LookSettings):
    """What `gan collapse` takes."""

    extractor: Block
    batches: Annotated[int, Field(ge=10, examples=[60])]
    max_size: Annotated[int, Field(ge=2, le=4096, examples=[181])]
    pairs: Annotated[PositiveInt, Field(examples=[16])]
    count: Literal["auto"] | Annotated[PositiveInt, Field(examples=[2500])]


class ExploreSettings(LookSettings):
    """What `gan explore` takes."""

    kind: Block
    extractor: Block


SCHEMAS: dict[str, type[Strict]] = {
    "train": Settings,
    "resume": ResumeSettings,
    "sample": SampleSettings,
    "evaluate": EvaluateSettings,
    "collapse": CollapseSettings,
    "explore": ExploreSettings,
}

# The blocks that name a class, and the arguments that gan gives itself.
TARGET_BLOCKS: dict[str, frozenset[str]] = {
    "dataset": frozenset(),
    "latent": frozenset(),
    "loss": frozenset(),
    "constraint": frozenset(),
    "updates": frozenset(),
    "condition": frozenset({"n_classes"}),
    "input": frozenset(),
    "extractor": frozenset(),
    "model.generator": frozenset({"latent_size", "sample_shape"}),
    "model.critic": frozenset({"sample_shape"}),
    "optimizer.generator": frozenset({"params"}),
    "optimizer.critic": frozenset({"params"}),
}
BLOCKS_OF: dict[str, dict[str, frozenset[str]]] = {
    "train": TARGET_BLOCKS,
    "evaluate": {"extractor": frozenset()},
    "collapse": {"extractor": frozenset()},
    "explore": {"kind": frozenset(), "extractor": frozenset()},
}
