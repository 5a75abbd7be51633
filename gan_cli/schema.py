"""The typed settings of every command."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

Seed = Annotated[int, Field(ge=0, lt=2**63, examples=[0], description="a whole number of at least 0 and below 2**63")]
Device = Annotated[
    str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", examples=["auto"], description="auto, cpu, cuda or cuda:N")
]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Threads = Literal["auto"] | PositiveInt
Run = Annotated[str, Field(min_length=1, examples=["runs/NAME"], description="a run directory")]
Text = Annotated[str, Field(min_length=1, examples=["PATH"], description="a path")]
Prefixes = Annotated[list[str], Field(examples=[["my_losses"]], description="a list of module names")]
Steps = Annotated[PositiveInt, Field(examples=[2000])]
Block = dict[str, Any]


class Strict(BaseModel):
    """Neither unknown keys, nor values of other types, nor infinities."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Train(Strict):
    """How long, and on how much at a time."""

    steps: Steps
    batch_size: Annotated[PositiveInt, Field(examples=[64])]
    ema_halflife_images: Annotated[PositiveFloat, Field(examples=[10_000])] | None


class Log(Strict):
    """Intervals in steps; pictures of `sample_count` samples, auto: as many as suit the data."""

    every_steps: Annotated[PositiveInt, Field(examples=[10])]
    samples_every_steps: Annotated[PositiveInt, Field(examples=[100])]
    sample_count: Literal["auto"] | Annotated[PositiveInt, Field(examples=[64])]


class Checkpoint(Strict):
    """When to save, by steps and by seconds (null: not by that), and how many to keep."""

    every_steps: Annotated[PositiveInt, Field(examples=[1000])] | None
    every_seconds: Annotated[PositiveFloat, Field(examples=[300])] | None
    keep: Annotated[int, Field(ge=2)]


class Runtime(Strict):
    """The machine."""

    device: Device
    precision: Precision
    engine: Literal["auto", "eager"]
    threads: Threads


class Model(Strict):
    """The two networks and the width that their blocks refer to."""

    width: Annotated[PositiveInt, Field(examples=[64])] | None
    generator: Block
    critic: Block


class Optimizer(Strict):
    """An optimizer for each network and the learning rate that their blocks refer to."""

    lr: Annotated[PositiveFloat, Field(examples=[5e-5])]
    generator: Block
    critic: Block


class Settings(Strict):
    """A run: what `gan train` takes and a run's config.yaml holds."""

    seed: Seed
    run_dir: Text | None
    allow_targets: Prefixes
    train: Train
    log: Log
    checkpoint: Checkpoint
    runtime: Runtime
    model: Model
    optimizer: Optimizer
    loss: Block
    constraint: Block
    updates: Block
    latent: Block
    condition: Block
    dataset: Block


class ResumeSettings(Strict):
    """What `gan resume` takes."""

    run: Run
    steps: Steps | None
    device: Device | None
    precision: Precision | None
    threads: Threads | None
    allow_targets: Prefixes


class SampleSettings(Strict):
    """What `gan sample` takes."""

    run: Run
    out: Text | None
    count: Annotated[PositiveInt, Field(examples=[64])]
    format: Literal["grid", "png", "npz"]
    seed: Seed
    weights: Literal["auto", "ema", "raw"]
    checkpoint: Literal["latest"] | NonNegativeInt
    batch_size: Annotated[PositiveInt, Field(examples=[250])]
    device: Device
    allow_targets: Prefixes


SCHEMAS: dict[str, type[Strict]] = {"train": Settings, "resume": ResumeSettings, "sample": SampleSettings}

# The blocks that name a class, and the arguments that gan gives itself.
TARGET_BLOCKS: dict[str, frozenset[str]] = {
    "dataset": frozenset(),
    "latent": frozenset(),
    "loss": frozenset(),
    "constraint": frozenset(),
    "updates": frozenset(),
    "condition": frozenset(),
    "model.generator": frozenset({"latent_size", "sample_shape"}),
    "model.critic": frozenset({"sample_shape"}),
    "optimizer.generator": frozenset({"params"}),
    "optimizer.critic": frozenset({"params"}),
}
