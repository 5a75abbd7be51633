"""The scores of a run's generator against its data, with their protocol."""

from __future__ import annotations

from itertools import compress
from typing import Any, NamedTuple

from gan_cli.analysis import page
from gan_cli.analysis.evaluation import Reference, again_by, fakes_like, least
from gan_cli.analysis.further_scores import further_scores
from gan_cli.analysis.look import Look
from gan_cli.analysis.path_length import EPSILON, path_length
from gan_cli.analysis.reals import Reals, two_sets
from gan_cli.analysis.score import Score
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.core.text import columns
from gan_cli.rng import Draws
from gan_cli.training.norm_statistics import IN_WORDS, with_whole_statistics


class RunScores(NamedTuple):
    """The result of an evaluation.

    Attributes:
        protocol: everything that the scores depend on.
        scores: by name, such as exact_w1, in the order in which they are shown.
        samples: number of samples of each kind.
    """

    protocol: dict[str, Any]
    scores: dict[str, Score]
    samples: int

    def table(self) -> list[tuple[str, ...]]:
        """Return a row of texts for each score, below their headings."""
        rows = [("score", "value", "sd", "floor", "baseline", "real", "fake", "in", "better")]
        for s in self.scores.values():
            std, floor, baseline = ("" if value is None else f"{value:.5g}" for value in (s.std, s.floor, s.baseline))
            counts = str(s.n_real or ""), str(s.n_fake)
            rows.append((s.name, f"{s.value:.5g}", std, floor, baseline, *counts, s.space, s.direction))
        filled = [any(column[1:]) or column[0] not in ("sd", "baseline") for column in zip(*rows, strict=True)]
        return [tuple(compress(row, filled)) for row in rows]

    def __repr__(self) -> str:
        facts = (f"{key}: {value}" for key, value in self.protocol.items())
        return "\n".join([*facts, "", *columns(self.table())])

    def _repr_html_(self) -> str:
        heads, *rows = self.table()
        return page.table(heads, rows) + page.table(["protocol", ""], [(k, str(v)) for k, v in self.protocol.items()])


def run_scores(run: Look, config: EvaluateConfig) -> RunScores:
    """Score a run's generator against its data.

    Raises:
        UserError: there are not enough real samples.
    """
    game = run.state.game
    reals = two_sets(run.data, config.split, config.count, task=game.task, least=least(run.extractor))
    draws = Draws(run.device, config.seed, "sample")
    reals = reals._replace(first=game.read(reals.first, draws))
    network, protocol = run.network, _protocol(run, reals, config)
    if config.statistics == "whole":
        network, protocol["batch norm"] = with_whole_statistics(game, network, game.latent), f"statistics {IN_WORDS}"
    fake = fakes_like(reals.first, game, network, draws, config.batch_size)
    reference = Reference(run.data, reals, run.extractor, config.w1_count, config.batch_size, game.task)
    scores = reference.scores(fake.x, again_by(game, network, fake.y, config.batch_size)) + reference.modes(fake.x)
    scores += reference.critic(run.state, fake, config.seed)
    scores += further_scores(reference, fake, config)
    if config.path_length:
        draws = Draws(run.device, config.seed, "path")
        value = path_length(game, network, run.extractor, config.path_length, draws, config.batch_size)
        name = f"path_length_{run.extractor.name}"
        protocol["path length"] = f"{config.path_length} pairs on whole {game.latent.between} paths, e = {EPSILON:g}"
        scores.append(Score(name, value, None, 0, config.path_length, "features", better="lower"))
    return RunScores(protocol, {score.name: score for score in scores}, len(reals.first.x))


def _protocol(run: Look, reals: Reals, config: EvaluateConfig) -> dict[str, Any]:
    """Return the protocol: everything that the scores depend on."""
    data, game = run.data, run.state.game
    kind = "images" if len(data.shape) == 3 else "points"
    n, shape = len(reals.first.x), " x ".join(map(str, data.shape))
    stored = ", stored in 8 bits" if kind == "images" else ""
    classes = ", with the classes of the real ones" if game.condition.needs_labels else ""
    protocol = run.protocol(config) | {
        "real": f"{n} {kind} of {shape}, {config.split} split, data {data.fingerprint}",
        "floor": f"{n} other real {kind} in place of the fakes, {reals.second_split} split",
        "fake": f"{n} {kind}, seed {config.seed}{stored}{classes}",
    }
    if game.task.baseline:
        protocol["baseline"] = f"{game.task.baseline}, in place of the fakes"
    if game.task.pairs:
        protocol["pairs"] = f"{game.task.pairs}, values of 8 bits, all channels; means over the images"
    return protocol
