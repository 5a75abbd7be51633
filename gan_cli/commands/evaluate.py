"""Score a run's generator against its data."""

from __future__ import annotations

from pathlib import Path

from gan_cli.analysis.evaluated import EVALUATIONS
from gan_cli.analysis.run_scores import RunScores, run_scores
from gan_cli.commands._evaluate_tags import evaluate_tags
from gan_cli.commands._results import JSON, as_json, write
from gan_cli.config.arguments import CommandLine, key_of
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.core.places import place, require_suffix
from gan_cli.core.text import say, show
from gan_cli.errors import UserError
from gan_cli.session.look import look
from gan_cli.session.picture_scores import picture_scores

_OF_A_RUN = ("weights", "checkpoint", "split", "statistics", "path_length", "allow_targets")


def evaluate(config: EvaluateConfig, line: CommandLine) -> None:
    """Print every score with its protocol, and write both as JSON.

    Raises:
        UserError: there is no run, no intact checkpoint, no data to compare with, or no extractor for them.
    """
    _refuse(config, {key_of(word) for word in line.overrides})
    require_suffix(config.out, JSON)
    if config.run is None:
        found, fakes = picture_scores(config), Path(config.fakes)
        folder, below, first = fakes.resolve().parent, (), [fakes.resolve().stem, Path(config.real).resolve().stem]
    else:
        run = look(config, sources=True)
        if run.state.game.task.reads == "vector":
            evaluate_tags(run, config, line)
            return
        found = run_scores(run, config)
        folder, below = run.path, (EVALUATIONS,)
        first = [f"step_{found.protocol['step']:010d}", found.protocol["weights"]]
    say(found)
    out = place(config.out, folder, *below, _name(first, found, config), suffixes=JSON)
    scores = {name: score._asdict() | {"better": score.direction} for name, score in found.scores.items()}
    write(out.parent, {out.name: as_json({"protocol": found.protocol, "scores": scores})})
    say(f"\n{out}")


def _refuse(config: EvaluateConfig, typed: set[str]) -> None:
    """Refuse half of a comparison, and keys that would have no effect.

    Raises:
        UserError: the first of them.
    """
    if (config.fakes is None) != (config.real is None):
        given, other = ("fakes", "real") if config.real is None else ("real", "fakes")
        raise UserError(f"{given}={getattr(config, given)}: is compared with other pictures; add {other}=DIR")
    if config.fakes is not None and config.run is not None:
        raise UserError(f"run={config.run}: fakes={config.fakes} takes its place; leave one of them out")
    without = _OF_A_RUN if config.fakes is not None else ("image_size",)
    if unused := next((key for key in without if key in typed), None):
        what = "pictures, and no run" if config.fakes is not None else "a run, whose samples have their own size"
        raise UserError(f"{unused}={show(getattr(config, unused))}: has no effect on {what}; leave {unused} out")


def _name(first: list[str], found: RunScores, config: EvaluateConfig) -> str:
    extractor = [found.protocol["extractor"].partition(",")[0]] if "extractor" in found.protocol else []
    parts = [*first, *extractor, *([config.split] if config.fakes is None else [])]
    parts += ["whole"] * (config.statistics == "whole")
    return "_".join([*parts, f"count_{found.samples}", f"seed_{found.protocol['seed']}"]) + ".json"
