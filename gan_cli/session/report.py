"""The content of a report, from the rows, checkpoints, pictures and data of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from gan_cli.analysis import critic_health, quality_points, report_plots, run_report, sample_quality, verdicts
from gan_cli.analysis.correlation import correlation
from gan_cli.analysis.evaluation import fakes_like
from gan_cli.analysis.quality_points import Points
from gan_cli.analysis.reals import available, in_turn, open_singly, take
from gan_cli.analysis.run_report import Part, Shown
from gan_cli.analysis.run_scores import RunScores, run_scores
from gan_cli.analysis.verdicts import Verdict
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.config.schema import Part as SchemaPart
from gan_cli.core.curves import FALLBACK
from gan_cli.core.log_rows import LogRows
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.metrics_log import METRICS, read_rows
from gan_cli.runs.reading import Run
from gan_cli.session import single_parts
from gan_cli.session.given import Given
from gan_cli.session.load import Loaded, load
from gan_cli.session.look import look
from gan_cli.training.sampling import sample

_W1_COUNT = 256  # samples of the exact distance
_REALS = 1_000  # real samples that those of pictures and checkpoints are compared with


class Asked(NamedTuple):
    """The options of the command line of `gan report`.

    Attributes:
        extractor: extractor of the scores that are measured here.
        device: device of the networks.
        seed: seed of the samples that are drawn here.
        count: number of samples of each checkpoint.
        updates: updates of the critic alone, to see if it is optimal.
        allow_targets: module prefixes that the command line permits.
        given: what Python gives in the place of parts; None: nothing.
    """

    extractor: SchemaPart
    device: str
    seed: int
    count: int
    updates: int
    allow_targets: list[str]
    given: Given | None = None


def part_of(run: Run, asked: Asked) -> Part:
    """Return the part of one run; it names what cannot be measured."""
    part = run_report.Part(run.path.name, run_report.facts(run))
    rows = read_rows(run.path / METRICS)
    loaded, reason = None, ""
    try:
        loaded = load(run.path, asked.device, "latest", asked.allow_targets, asked.given)
    except UserError as error:
        reason = str(error)
    own = loaded.state.game.loss.logged if loaded else ()
    tag = run_report.add_estimate(part, run, rows, loaded.shape if loaded else None, own)
    data = None
    if loaded is not None:
        try:
            data = _open(loaded)
        except UserError as error:
            reason = str(error)
    if tag:
        _add_quality(part, run, rows, tag, loaded, asked, reason)
        _add_critic(part, tag, loaded, data, asked, reason)
    part.verdicts += verdicts.from_warnings(run.status)
    part.verdicts.insert(0, _samples(run, rows, loaded, asked, reason))
    return part


def _samples(run: Run, rows: LogRows, loaded: Loaded | None, asked: Asked, reason: str) -> Verdict:
    """Return the verdict on the samples: by the run's last scores, or by those that are measured now."""
    found = sample_quality.of_rows(rows, run.status)
    if found is None and loaded is not None:
        try:
            found = sample_quality.of_scores(_scores(run, asked))
        except UserError as error:
            reason = str(error)
    known = found and sample_quality.judged(found)
    reason = reason or "no score has a floor"
    return known or Verdict("unknown", f"the quality of the samples was not measured: {reason}")


def _scores(run: Run, asked: Asked) -> RunScores:
    """Return the scores of `gan evaluate` with as many samples as were asked for, or as many as there are.

    Raises:
        UserError: there are no data to compare with, no extractor for them, or too few samples.
    """
    config = EvaluateConfig.model_construct(
        **{key: getattr(asked, key) for key in ("extractor", "device", "seed", "allow_targets")},
        run=str(run.path),
        weights="auto",
        checkpoint="latest",
        split="train",
        batch_size=250,
        count=asked.count,
        w1_count=_W1_COUNT,
    )
    opened = look(config, sources=True, given=asked.given)
    if opened.state.game.task.reads == "vector":
        raise UserError("its samples are words, which `gan evaluate` measures")
    try:
        return run_scores(opened, config)
    except UserError:
        return run_scores(opened, config.replace(count="auto"))


def _open(loaded: Loaded) -> RealData:
    config, game = loaded.config, loaded.state.game
    dataset, device = single_parts.dataset(config, loaded.given), next(game.parameters()).device
    return game.task.open(dataset, config.train.batch_size, config.seed, device)


def _add_quality(
    part: Part, run: Run, rows: LogRows, tag: str, loaded: Loaded | None, asked: Asked, reason: str
) -> None:
    points = quality_points.from_rows(rows, tag)
    if points is None and loaded is not None:
        try:
            points = _scored_here(run, rows, tag, loaded, asked)
        except UserError as error:
            reason = str(error)
    if points is not None and not points.points:
        points, reason = None, "no step has both an estimate and a score"
    related = None
    if points is not None:
        related = correlation([p.estimate for p in points.points], [p.score for p in points.points])
        picture = report_plots.quality(tag, points, related)
        caption = (
            f"The estimate against {points.name}, by step; scores: {points.how}. The interval is a bootstrap over the "
            "points, which are successive steps of one run, so it is too narrow."
        )
        chart = run_report.Chart([report_plots.quality_trace(points)], points.axis, tag)
        part.figures["quality"] = Shown("The estimate against quality", caption, {"quality": picture}, chart)
        shown = None if related is None else {k: _finite(v) for k, v in related._asdict().items()}
        part.numbers["quality"] = {"score": points.name, "how": points.how, "spearman": shown}
        part.numbers["quality"]["points"] = [p._asdict() for p in points.points]
    part.verdicts.append(verdicts.quality(points, related, reason))
    if points is not None and len(later := points.from_peak().points) < len(points.points):
        own = correlation([p.estimate for p in later], [p.score for p in later])
        part.verdicts += verdicts.after_peak(points.from_peak(), own)


def _scored_here(run: Run, rows: LogRows, tag: str, loaded: Loaded, asked: Asked) -> Points:
    """Score the samples that the run has kept.

    Raises:
        UserError: there are no data to compare with, or no extractor for them.
    """
    game = loaded.state.game
    device = next(game.parameters()).device
    data = open_singly(single_parts.dataset(loaded.config, loaded.given), device, game.task)
    size, held = available(data.train), available(data.heldout)
    real, labels, *_ = take(data.train, 0, _REALS if size is None else min(_REALS, size))
    conditional, translates = game.condition.needs_labels, game.task.reads is not None
    y = in_turn(labels, asked.count) if conditional else None
    n = min(asked.count, held or asked.count)
    sources = take(data.heldout, 0, n - n % (2 if game.task.twofold else 1)) if translates else None
    extractor = None
    if len(loaded.shape) == 3:
        extractor = single_parts.extractor(asked).choose(data)
        extractor.load(device)

    def drawn() -> Iterator[tuple[int, torch.Tensor]]:
        for step in checkpoint.steps(run.path / directory.CHECKPOINTS):
            try:
                state = load(run.path, asked.device, step, asked.allow_targets, asked.given).state
            except UserError:
                continue  # damaged: `gan doctor` reports it
            network, draws = state.best_generator(), Draws(device, asked.seed, "sample")
            if sources is None:
                yield step, torch.cat(list(sample(state.game, network, asked.count, draws, y=y)))
            else:
                yield step, fakes_like(sources, state.game, network, draws, 250).x

    def pictures() -> Iterator[tuple[int, torch.Tensor]]:
        wanted = loaded.config.log.sample_count
        # Those of a conditional run have the classes in equal shares, whatever they are in the data; those of a
        # generator that reads pictures show these too.
        for path in [] if conditional or translates else sorted((run.path / directory.SAMPLES).glob("step_*.png")):
            if path.stem[5:].isdigit():
                images = quality_points.grid_images(path, loaded.shape, wanted if isinstance(wanted, int) else 64)
                if images is not None:
                    yield int(path.stem[5:]), images.to(device)

    return quality_points.from_samples(rows, tag, real, extractor, drawn(), pictures)


def _add_critic(part: Part, tag: str, loaded: Loaded | None, data: RealData | None, asked: Asked, reason: str) -> None:

    if loaded is None or data is None:
        part.verdicts.append(Verdict("unknown", f"the critic was not examined: {reason}"))
        return
    state, constraint = loaded.state, loaded.state.game.constraint
    if not state.game.loss.critic_plays:
        part.verdicts.append(Verdict("unknown", "this loss trains no critic"))
        return
    device, seed = next(state.game.parameters()).device, asked.seed
    batches = critic_health.pairs(state.game, data.heldout, seed, device)
    norms = critic_health.gradient_norms_at(state, batches, seed)
    weights, bound, target = critic_health.weights(state), getattr(constraint, "c", None), constraint.target_norm
    saturation = {name: float(value) for name, value in constraint.curves(state.projected).items()}
    accumulate, tag = loaded.config.train.accumulate, verdicts.maximised(tag, state.game.loss.logged)
    if not critic_health.is_estimate(state, batches, tag, seed):
        tag = FALLBACK
    further = critic_health.further_updates(state, data.train, batches, tag, asked.updates, seed, accumulate)
    caption = (
        f"All weights of the critic at step {state.step}; its gradient norm at held-out samples, at fakes, and at "
        "random points between; the estimate on held-out samples while a copy of the critic is trained further against "
        "the fixed generator, with two standard errors of the change: for an optimal critic it stays level."
    )
    panels = {
        "critic_weights": report_plots.critic_weights(weights, bound),
        "critic_gradient_norms": report_plots.critic_gradient_norms(norms, target),
        "critic_further": report_plots.critic_further(further, tag),
    }
    part.figures["critic"] = Shown("The critic", caption, panels)
    part.verdicts.append(verdicts.optimal(tag, further, loaded.config))
    if bound is not None and "clip_saturation" in saturation:
        part.verdicts.append(verdicts.saturation(saturation["clip_saturation"], bound))
    if target is not None:
        part.verdicts.append(verdicts.gradient_norm(norms, target))
    means = {name: _finite(float(values.mean())) for name, values in norms._asdict().items()}
    part.numbers["critic"] = saturation | {
        "step": state.step,
        "gradient_norm": means,
        "further": {"updates": further.updates, "values": [_finite(v) for v in further.values]},
        "rise": _finite(further.relative),
        "rise_error": _finite(further.error),
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
