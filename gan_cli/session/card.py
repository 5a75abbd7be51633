"""The model card of an exported generator, with samples and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gan_cli.analysis import figures
from gan_cli.analysis.model_card import model_card
from gan_cli.analysis.run_scores import RunScores, run_scores
from gan_cli.config import parts
from gan_cli.config.command_schemas import EvaluateConfig, ExportConfig, SampleConfig
from gan_cli.config.names import GROUPS, option
from gan_cli.config.schema import ConfigType
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.exported import About
from gan_cli.session.load import Loaded
from gan_cli.session.look import look
from gan_cli.session.samples import samples

CARD, SAMPLES = "README.md", "samples.png"
_SHOWN = 64  # samples in the picture
_BUILT = ("model.generator", "latent", "condition", "task", "degradation")  # parts of a generator


def card(run: Loaded, about: About, config: ExportConfig) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of a model card by name, and what it lacks, a line each.

    Args:
        run: whose generator is exported.
        about: what is exported.
        config: of the command; the scores are those of `gan evaluate` with the same keys.
    """
    path, lacking = Path(config.run), []
    picture, found = _samples(run, config, lacking), _scores(run, config, lacking)
    built = (part for key, part in parts.parts_of(run.config) if key in _BUILT and part.target != parts.GIVEN)
    foreign = {part.target.rpartition(".")[0] for part in built if parts.is_own(part)}
    known = reading.run_at(path).choices
    choices = {group: name for group in GROUPS if (name := option(group, about.trained_with, known))}
    name = SAMPLES if picture else None
    reads_image = run.state.game.task.reads == "image"
    text = model_card(path.resolve().name, about, choices, reads_image, sorted(foreign), found, lacking, name)
    return {CARD: text.encode()} | ({SAMPLES: picture} if picture else {}), lacking


def _as(schema: type[ConfigType], config: ExportConfig, **values: Any) -> ConfigType:
    """Return the config of another command with the same values."""
    shared = {key: getattr(config, key) for key in schema.model_fields if hasattr(config, key)}
    return schema.model_construct(**shared | values)


def _samples(run: Loaded, config: ExportConfig, lacking: list[str]) -> bytes | None:
    """Return a picture of samples as PNG, those of `gan sample`."""
    if run.state.game.task.reads == "vector":
        lacking.append("No samples are shown: they are vectors of words; `gan tag` finds the words.")
        return None
    asked = _as(SampleConfig, config, count=_SHOWN, format="grid")
    try:
        drawn = samples(run, asked)
        x = torch.cat(list(drawn.batches))
        shown = figures.image_grid(x, drawn.columns) if x.dim() == 4 else figures.points_figure(None, x, None)
    except (UserError, ValueError) as error:
        lacking.append(f"No samples are shown: {error}.")
        return None
    return figures.png(shown)


def _scores(run: Loaded, config: ExportConfig, lacking: list[str]) -> RunScores | None:
    """Return the scores of `gan evaluate`, with the run's name in the place of its path."""
    if run.state.game.task.reads == "vector":
        lacking.append("Not evaluated: `gan evaluate` measures words.")
        return None
    try:
        asked = _as(EvaluateConfig, config)
        found = run_scores(look(asked, sources=True, given=run.given), asked)
    except UserError as error:
        lacking.append(f"Not evaluated: {error}.")
        return None
    return found._replace(protocol=found.protocol | {"run": Path(config.run).resolve().name})
