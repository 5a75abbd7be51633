"""Scores of fake samples against real ones, each with its floor, the score of other real samples, and a baseline."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_cli.analysis.critic import critic_distance
from gan_cli.analysis.reals import Joined, Reals, as_stored
from gan_cli.analysis.score import Score
from gan_cli.data.source import Batch, RealData
from gan_cli.extractors.base import Extractor, Features
from gan_cli.metrics import frechet, kid, transport
from gan_cli.metrics.classifier_score import classifier_score
from gan_cli.metrics.frechet import frechet_distance
from gan_cli.metrics.kid import kernel_distance
from gan_cli.metrics.manifold import LEAST, manifold
from gan_cli.metrics.modes import mode_coverage
from gan_cli.metrics.transport import exact_w1, sliced_w1
from gan_cli.rng import Draws
from gan_cli.tasks.base import Generate
from gan_cli.training.game import Game
from gan_cli.training.sampling import generate, sample
from gan_cli.training.state import TrainState

Again = Callable[[Tensor], Tensor]


class Reference:
    """Real samples to compare fakes with; their features, the floors and the baselines are computed once.

    Where samples are of two domains in turn, each has its own scores, whose names end in _a and _b.

    Args:
        data: dataset of the samples.
        reals: two sets of N real samples, the first with its sources where the task has sources.
        extractor: a loaded extractor; None for points.
        w1_count: samples of each kind for the exact distance and the critic's estimate; all if there are fewer.
        batch_size: number of images that the extractor reads at a time.
        task: what the generator reads; None: z alone.
    """

    def __init__(
        self,
        data: RealData,
        reals: Reals,
        extractor: Extractor | None,
        w1_count: int,
        batch_size: int,
        task: Generate | None = None,
    ) -> None:
        self.data, self.reals, self.extractor, self.task = data, reals, extractor, task or Generate()
        self.domains = ("_a", "_b") if self.task.twofold else ("",)
        self.count, self.batch_size = len(reals.first.x), batch_size
        self.w1_count = max(1, min(w1_count, self.count) // len(self.domains)) * len(self.domains)
        self._real = [self.features(x) for x in self._by_domain(reals.first.x)]
        self.floors = self._compared(reals.second.x, lambda source: reals.second.x)
        source, shape = reals.first.source, data.shape
        plain = None if source is None else self.task.unlearned(source, shape)
        self.baselines = (
            None if plain is None else self._compared(as_stored(plain), lambda s: self.task.unlearned(s, shape))
        )

    def scores(self, fake: Tensor, again: Again | None = None) -> list[Score]:
        """Return the scores of N fakes in the extractor's space and in the samples' own, and those of pairs.

        Args:
            fake: (N, ...), made of the sources of the first set where there are any.
            again: the generator, source -> samples, where there are sources.
        """
        compared = zip(self._compared(fake, again), self.floors, strict=True)
        found = [score._replace(floor=floor.value) for score, floor in compared]
        if self.baselines is None:
            return found
        return [s._replace(baseline=plain.value) for s, plain in zip(found, self.baselines, strict=True)]

    def modes(self, fake: Tensor) -> list[Score]:
        """Return the scores of the modes that N fakes reach, if the modes are known."""
        return [] if self.data.modes is None else mode_scores(self.reals.second.x, fake, *self.data.modes)

    def critic(self, state: TrainState, fake: Batch, seed: int) -> list[Score]:
        """Return the critic's estimate on the samples of the exact W1, and the same in units of distance."""
        n, game = self.w1_count, state.game
        real = self.reals.first.head(n)
        draws = Draws(real.x.device, seed, "evaluate", at=state.step)
        real = game.read(real, draws)._replace(source=fake.head(n).source)
        found = critic_distance(game, real, fake.head(n), draws)
        if found is None:
            return []
        values = {
            "critic_estimate": found.estimate,
            "critic_lipschitz": found.lipschitz,
            "critic_estimate_over_lipschitz": found.normalised,
        }
        return [Score(name, value, None, n, n, _space(real.x)) for name, value in values.items()]

    def features(self, x: Tensor) -> Features | None:
        """Return the features of samples; None for points."""
        return None if self.extractor is None else extract(self.extractor, x, self.batch_size)

    def _by_domain(self, x: Tensor) -> list[Tensor]:
        return [x[i :: len(self.domains)] for i in range(len(self.domains))]

    def _compared(self, fake: Tensor, again: Again | None) -> list[Score]:
        first, scores = self.reals.first, []
        domains = zip(self.domains, self._real, self._by_domain(first.x), self._by_domain(fake), strict=True)
        for end, features, real, x in domains:
            found = compared_samples(real, x, self.w1_count // len(self.domains))
            if self.extractor is not None:
                found = compared_features(self.extractor, features, self.features(x)) + found
            scores += [score._replace(name=score.name + end) for score in found]
        measured = {} if again is None else self.task.measures(first._replace(x=fake), first, again)
        n = self.count
        return scores + [Score(name, value, None, n, n, "pairs") for name, value in measured.items()]


def least(extractor: Extractor | None) -> int:
    """Return the least number of samples of each kind, and of each domain, that every score takes."""
    return transport.LEAST if extractor is None else max(transport.LEAST, frechet.LEAST, kid.LEAST, LEAST)


def fakes_like(real: Batch, game: Game, network: nn.Module, draws: Draws, batch_size: int) -> Batch:
    """Return as many generated samples as real ones; images are rounded as in an 8-bit file.

    A game with classes generates those of the real samples, in the same order: the classes have the shares that
    they have in the data, and what a critic adds to the scores of a class cancels in the difference of means.
    """
    real = game.read(real, draws)
    parts = sample(game, network, len(real.x), draws, batch_size, real.y, real.source)
    whole = Joined(len(real.x), as_stored(next(parts)))
    for part in parts:
        whole.add(as_stored(part))
    return Batch(whole.tensor, real.y, None, real.source)


def again_by(game: Game, network: nn.Module, y: Tensor | None, batch_size: int) -> Again:
    """Return the generator as source -> samples at z = 0; images are rounded as in an 8-bit file."""

    def again(source: Tensor) -> Tensor:
        z = source.new_zeros(len(source), game.latent.total_size)
        return torch.cat([as_stored(part) for part in generate(game, network, z, y, batch_size, source)])

    return again


def extract(extractor: Extractor, images: Tensor, batch_size: int) -> Features:
    """Return the features of images (N, C, H, W) in [-1, 1], computed batch by batch."""
    parts = [extractor(part) for part in images.split(batch_size)]
    log_p = None if parts[0].log_p is None else torch.cat([part.log_p for part in parts])
    return Features(torch.cat([part.x for part in parts]), log_p)


def compared_features(extractor: Extractor, real: Features, fake: Features) -> list[Score]:
    """Compare in the extractor's space; only the Inception network's scores get the literature's plain names.

    Args:
        extractor: the extractor that made the features.
        real: features of the reference.
        fake: features of the fakes, or of as many other real samples: then the values are floors.
    """
    own = "" if extractor.standard else f"_{extractor.name}"
    named = {"fid": "frechet_distance", "inception_score": "classifier_score"}

    def score(name: str, value: float) -> Score:
        name = name if extractor.standard else named.get(name, name) + own
        return Score(name, value, None, len(real.x), len(fake.x), "features")

    scores = [
        score("fid", frechet_distance(real.x, fake.x)),
        score("kid", kernel_distance(real.x, fake.x)),
    ]
    if fake.log_p is not None:
        scores.append(score("inception_score", classifier_score(fake.log_p)))
    return scores + [score(name, value) for name, value in manifold(real.x, fake.x)._asdict().items()]


def compared_samples(real: Tensor, fake: Tensor, w1_count: int) -> list[Score]:
    """Compare the flattened samples: exactly on the first `w1_count`, and on projections of all."""
    n, m = len(real), min(w1_count, len(real))
    return [
        Score("sliced_w1", sliced_w1(real, fake), None, n, n, _space(real)),
        Score("exact_w1", exact_w1(real[:m], fake[:m]), None, m, m, _space(real)),
    ]


def mode_scores(other: Tensor, fake: Tensor, centres: Tensor, std: float) -> list[Score]:
    """Count the modes of a known mixture."""
    found, floor = mode_coverage(fake, centres, std), mode_coverage(other, centres, std)
    space = f"points, {found.total} modes"
    return [
        Score("modes", float(found.captured), float(floor.captured), 0, len(fake), space),
        Score("high_quality_share", found.high_quality_share, floor.high_quality_share, 0, len(fake), space),
        Score("kl_to_uniform", found.kl_to_uniform, floor.kl_to_uniform, 0, len(fake), space),
    ]


def _space(x: Tensor) -> str:
    return "pixels" if x.dim() == 4 else "points"
