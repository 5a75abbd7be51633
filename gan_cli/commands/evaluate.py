"""Score a run's generator against its data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from gan_cli.analysis.evaluation import Reference, Score, again_by, fakes_like
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import Reals, two_sets
from gan_cli.commands._results import looking_protocol, write_json
from gan_cli.config.command_line import CommandLine
from gan_cli.config.schema import EvaluateConfig
from gan_cli.core import curves
from gan_cli.core.text import columns
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.session.look import look

EVALUATIONS = "evaluations"


def evaluate(config: EvaluateConfig, line: CommandLine) -> None:
    """Print every score with its protocol, and write both as JSON.

    Raises:
        UserError: there is no run, no intact checkpoint, no data to compare with, or no extractor for them.
    """
    run = look(config, sources=True)
    data, extractor, game = run.data, run.extractor, run.state.game
    reals = two_sets(data, config.split, config.count, task=game.task)
    draws = Draws(run.device, config.seed, "sample")
    reals = reals._replace(first=game.read(reals.first, draws))
    fake = fakes_like(reals.first, game, run.network, draws, config.batch_size)
    protocol = _protocol(run, reals, config)
    reference = Reference(data, reals, extractor, config.w1_count, config.batch_size, game.task)
    scores = reference.scores(fake.x, again_by(game, run.network, fake.y, config.batch_size)) + reference.modes(fake.x)
    scores += reference.critic(run.state, fake, config.seed)
    print("\n".join([*(f"{key}: {value}" for key, value in protocol.items()), "", table(scores)]))
    name = _name(protocol, extractor, len(reals.first.x), config.split)
    out = Path(config.out) if config.out else run.path / EVALUATIONS / name
    write_json(out, {"protocol": protocol, "scores": {s.name: _entry(s) for s in scores}})
    print(f"\n{out}")


def _protocol(run: Look, reals: Reals, config: EvaluateConfig) -> dict[str, Any]:
    """Return the protocol: everything that the scores depend on."""
    data = run.data
    kind = "images" if len(data.shape) == 3 else "points"
    n, shape = len(reals.first.x), " x ".join(map(str, data.shape))
    stored = ", stored in 8 bits" if kind == "images" else ""
    game = run.state.game
    classes = ", with the classes of the real ones" if game.condition.needs_labels else ""
    protocol = looking_protocol(run, config) | {
        "real": f"{n} {kind} of {shape}, {config.split} split, data {data.fingerprint}",
        "floor": f"{n} other real {kind} in place of the fakes, {reals.second_split} split",
        "fake": f"{n} {kind}, seed {config.seed}{stored}{classes}",
    }
    if game.task.baseline:
        protocol["baseline"] = f"{game.task.baseline}, in place of the fakes"
    if game.task.pairs:
        protocol["pairs"] = f"{game.task.pairs}, values of 8 bits, all channels; means over the images"
    return protocol


def table(scores: list[Score]) -> str:
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


def _name(protocol: dict[str, Any], extractor: Extractor | None, count: int, split: str) -> str:
    parts = [f"step_{protocol['step']:010d}", protocol["weights"], *([extractor.name] if extractor else []), split]
    return "_".join([*parts, f"count_{count}", f"seed_{protocol['seed']}"]) + ".json"
