"""Score a run's generator against its data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gan_cli.analysis.evaluation import Score
from gan_cli.analysis.look import Look
from gan_cli.analysis.run_scores import RunScores, run_scores
from gan_cli.commands._results import EVALUATIONS, write_json
from gan_cli.commands._tags import evaluate_tags
from gan_cli.config.arguments import CommandLine
from gan_cli.config.schema import EvaluateConfig
from gan_cli.core import curves
from gan_cli.core.places import place
from gan_cli.core.text import columns, say
from gan_cli.session.look import look


def evaluate(config: EvaluateConfig, line: CommandLine) -> None:
    """Print every score with its protocol, and write both as JSON.

    Raises:
        UserError: there is no run, no intact checkpoint, no data to compare with, or no extractor for them.
    """
    run = look(config, sources=True)
    if run.state.game.task.reads == "vector":
        evaluate_tags(run, config, line)
        return
    found = run_scores(run, config)
    facts = (f"{key}: {value}" for key, value in found.protocol.items())
    say("\n".join([*facts, "", table([*found.scores.values()])]))
    out = place(config.out, run.path, EVALUATIONS, _name(run, found, config))
    write_json(out, {"protocol": found.protocol, "scores": {name: _entry(s) for name, s in found.scores.items()}})
    say(f"\n{out}")


def table(scores: Sequence[Score]) -> str:
    """Return the scores as a table of text."""
    rows = [("score", "value", "floor", "baseline", "real", "fake", "in", "better")]
    for s in scores:
        floor, baseline = ("" if value is None else f"{value:.5g}" for value in (s.floor, s.baseline))
        real, fake, better = str(s.n_real or ""), str(s.n_fake), curves.better(s.tag)
        rows.append((s.name, f"{s.value:.5g}", floor, baseline, real, fake, s.space, better))
    if all(s.baseline is None for s in scores):
        rows = [(*row[:3], *row[4:]) for row in rows]
    return "\n".join(columns(rows))


def _entry(score: Score) -> dict[str, Any]:
    """Return a score as values for JSON: a number that is not finite becomes text."""
    values = score._asdict() | {"better": curves.better(score.tag)}
    return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _name(run: Look, found: RunScores, config: EvaluateConfig) -> str:
    extractor = [run.extractor.name] if run.extractor else []
    parts = [f"step_{found.protocol['step']:010d}", found.protocol["weights"], *extractor, config.split]
    parts += ["whole"] * (config.statistics == "whole")
    return "_".join([*parts, f"count_{found.samples}", f"seed_{found.protocol['seed']}"]) + ".json"
