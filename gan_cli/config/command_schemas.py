"""The typed configs of the commands other than `gan train`, whose config is in schema.py."""

from __future__ import annotations

from typing import Annotated, Literal, get_type_hints

from pydantic import Field, NonNegativeInt, PositiveFloat, create_model

from gan_cli.config.schema import (
    Checkpoint,
    Config,
    Count,
    Device,
    Evaluate,
    Log,
    Part,
    Prefixes,
    Run,
    RunConfig,
    Runtime,
    Seed,
    Text,
    Train,
)
from gan_cli.core.shapes import ImageSize

ClassKey = NonNegativeInt | Annotated[str, Field(min_length=1)]
Classes = Annotated[
    ClassKey | Annotated[list[ClassKey], Field(min_length=1)],
    Field(examples=[3], description="a class, or a list of classes as in 'y=[0,3]', by number or name"),
]
Vectors = Annotated[
    list[Annotated[list[float], Field(min_length=1)]],
    Field(min_length=1, examples=[[[0.5, 1.0]]], description="label vectors, a list for each as in 'y=[[0,1],[1,0]]'"),
]
Codes = Annotated[
    float | Annotated[list[float | None], Field(min_length=1)],
    Field(examples=[3], description="a code's value, or a list of them as in 'c=[3,null,0.5]'"),
]
Seeds = Annotated[
    Seed | Annotated[list[Seed], Field(min_length=1)],
    Field(examples=[0], description="a whole number of at least 0, or a list of them as in seed=0,1,2"),
]
Statistics = Literal["running", "whole"]  # of a generator's batch norms


def _or_null(model: type[Config], *names: str) -> type[Config]:
    """Return a model of these keys, or of all, in which each may be null: as the run has it."""
    kinds = get_type_hints(model, include_extras=True)
    fields = {name: (kinds[name] | None, ...) for name in names or model.model_fields}
    return create_model(f"Resume{model.__name__}", __base__=Config, __doc__=model.__doc__, **fields)


class Place(Config):
    """The place of the same data; null: as the run has it."""

    path: Text | None
    path_b: Text | None
    tags: Text | None
    resident: Literal["auto"] | bool | None


class ResumeConfig(Config):
    """What `gan resume` takes: the keys of a run that may change when it is continued, null where they do not."""

    run: Run
    force: bool
    allow_targets: Prefixes
    train: _or_null(Train, "steps")
    log: _or_null(Log)
    evaluate: _or_null(Evaluate)
    checkpoint: _or_null(Checkpoint)
    runtime: _or_null(Runtime)
    dataset: Place
    dataset_b: Place


class GeneratorConfig(Config):
    """What every command takes that draws from a run's generator."""

    run: Run
    out: Text | None
    seed: Seed
    weights: Literal["auto", "ema", "raw"]
    checkpoint: Literal["latest", "best"] | NonNegativeInt
    batch_size: Annotated[Count, Field(examples=[250])]
    device: Device
    allow_targets: Prefixes


class SampleConfig(GeneratorConfig):
    """What `gan sample` takes."""

    count: Annotated[Count, Field(examples=[64])]
    format: Literal["grid", "png", "npz"]
    labels: bool = False
    y: Classes | Vectors | None = None
    c: Codes | None = None
    truncation: Annotated[PositiveFloat, Field(examples=[2.0])] | None = None
    source: Text | None = None
    direction: Literal["a_to_b", "b_to_a"] | None = None
    degrade: bool = False
    tile: Literal["auto"] | Annotated[Count, Field(examples=[256])] = "auto"
    statistics: Statistics = "running"


class ScoredConfig(GeneratorConfig):
    """What every command takes that scores a run's samples."""

    extractor: Part
    count: Literal["auto"] | Annotated[int, Field(ge=6, examples=[5000])]
    w1_count: Annotated[Count, Field(examples=[1024])]
    split: Literal["train", "heldout"]
    statistics: Statistics = "running"


class EvaluateConfig(ScoredConfig):
    """What `gan evaluate` takes: a run, or pictures instead of its samples and its data."""

    run: Run | None
    fakes: Text | None = None
    real: Text | None = None
    image_size: ImageSize | None = None
    splits: Annotated[int, Field(ge=2, examples=[10])] | None = None
    within_classes: bool = False
    path_length: Annotated[NonNegativeInt, Field(examples=[10_000])] = 0
    classification_epochs: Annotated[NonNegativeInt, Field(examples=[24])] = 0


class ClassifierConfig(Config):
    """What `gan classifier` takes."""

    dataset: Part
    out: Text | None
    epochs: Annotated[Count, Field(examples=[24])]
    batch_size: Annotated[int, Field(ge=2, examples=[128])]
    width: Annotated[int, Field(ge=1, le=1024, examples=[16])]
    flip: bool
    seed: Seed
    device: Device
    allow_targets: Prefixes


class ExportConfig(ScoredConfig):
    """What `gan export` takes."""

    format: Literal["safetensors", "onnx", "torch_export", "hub"]
    direction: Literal["a_to_b", "b_to_a"] | None = None


class CollapseConfig(GeneratorConfig):
    """What `gan collapse` takes."""

    extractor: Part
    batches: Annotated[int, Field(ge=10, examples=[60])]
    max_size: Annotated[int, Field(ge=2, le=4096, examples=[181])]
    pairs: Annotated[Count, Field(examples=[16])]
    count: Literal["auto"] | Annotated[Count, Field(examples=[2500])]


class ExploreConfig(GeneratorConfig):
    """What `gan explore` takes."""

    kind: Part
    extractor: Part


class StudyConfig(Config):
    """What `gan study` takes; no study: the list of them."""

    study: Part | None = None
    full: bool
    seed: Seeds | None
    overrides: Annotated[list[str], Field(examples=[["runtime=cuda"]], description="a list of overrides")]
    out: Text | None
    docs: Text | None
    allow_targets: Prefixes


SCHEMAS: dict[str, type[Config]] = {
    "train": RunConfig,
    "resume": ResumeConfig,
    "sample": SampleConfig,
    "evaluate": EvaluateConfig,
    "collapse": CollapseConfig,
    "explore": ExploreConfig,
    "classifier": ClassifierConfig,
    "export": ExportConfig,
    "study": StudyConfig,
}
