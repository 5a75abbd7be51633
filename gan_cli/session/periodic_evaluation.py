"""The scores of `gan evaluate` as curves of a run."""

from __future__ import annotations

from typing import Any

import torch

from gan_cli.analysis import tagging
from gan_cli.analysis.evaluation import Reference, again_by, fakes_like, least
from gan_cli.analysis.reals import AUTO_COUNT, open_singly, two_sets
from gan_cli.config.schema import RunConfig
from gan_cli.data.source import Dataset, RealData
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.tasks.base import Generate
from gan_cli.training.probes import Row, due
from gan_cli.training.state import TrainState


class Evaluation:
    """The generator's scores against fixed real samples, from the same z every time, in rows of their own interval.

    At a checkpoint's step they are what `gan evaluate` says of it with the run's own count, split, w1_count and seed,
    as far as rounding and the run's precision let them.

    Args:
        reference: the real samples, their features and the floors.
        split: of the real samples.
        every_steps: steps between two evaluations.
        log_every_steps: steps a row.
        seed: the run's seed.
        batch_size: samples that the generator makes at a time.
    """

    def __init__(
        self, reference: Reference, split: str, every_steps: int, log_every_steps: int, seed: int, batch_size: int
    ) -> None:
        self.reference = reference
        self.split = split
        self.every_steps = every_steps
        self.log_every_steps = log_every_steps
        self.seed = seed
        self.batch_size = batch_size

    def __call__(self, state: TrainState, row: Row) -> Row:
        """Return `quality/<score>` in the extractor's space and `distance/<score>` in that of the samples, when due."""
        if not due(state.step, self.log_every_steps, self.every_steps):
            return {}
        real = self.reference.reals.first
        draws = Draws(real.x.device, self.seed, "sample")
        network = state.best_generator()
        fake = fakes_like(real, state.game, network, draws, self.batch_size)
        again = again_by(state.game, network, fake.y, self.batch_size)
        scores = self.reference.scores(fake.x, again) + self.reference.critic(state, fake, self.seed)
        return {score.tag: score.value for score in scores}

    def protocol(self) -> dict[str, Any]:
        """Return what the scores depend on, for run.json; without it they are no scores."""
        reference, extractor = self.reference, self.reference.extractor
        found = {
            "count": reference.count,
            "w1_count": reference.w1_count,
            "split": self.split,
            "floor_split": reference.reals.second_split,
            "floors": {score.tag: score.value for score in reference.floors},
        }
        if reference.baselines is not None:
            found["baselines"] = {score.tag: score.value for score in reference.baselines}
        if extractor is not None:
            found |= {"extractor": extractor.name, "sha256": extractor.sha256, "resize": extractor.resize}
        return found

    def summary(self) -> str:
        """Return the protocol in a line."""
        reference, extractor = self.reference, self.reference.extractor
        space = f" in the features of {extractor.name}" if extractor else ""
        floors, baselines = (
            ", ".join(f"{score.name} {score.value:.4g}" for score in found)
            for found in (reference.floors, reference.baselines or [])
        )
        baselines = baselines and f"; {reference.task.baseline}: {baselines}"
        return (
            f"evaluated every {self.every_steps} steps: {reference.count} fakes against as many real samples of the "
            f"{self.split} split{space}; floors: {floors}{baselines}"
        )


class TagEvaluation:
    """How many of the generator's words for held-out images are right, in rows of their own interval.

    At a checkpoint's step they are what `gan evaluate` says of it with the run's own seed, as far as rounding and the
    run's precision let them.

    Args:
        data: of task=tag.
        count: held-out images, or all if there are fewer.
        every_steps: steps between two evaluations.
        log_every_steps: steps a row.
        seed: the run's seed.
    """

    def __init__(self, data: RealData, count: int, every_steps: int, log_every_steps: int, seed: int) -> None:
        self.heldout = data.heldout
        self.count = min(count, data.heldout.size)
        self.every_steps, self.log_every_steps, self.seed = every_steps, log_every_steps, seed

    def __call__(self, state: TrainState, row: Row) -> Row:
        """Return `quality/precision_at_<k>` and `quality/recall_at_<k>` when due."""
        if not due(state.step, self.log_every_steps, self.every_steps):
            return {}
        scores = tagging.votes(state.game, state.best_generator(), self.heldout.features[: self.count], self.seed)
        found = tagging.judged(scores, self.heldout.tags[: self.count])
        return {f"quality/{name}": value for name, value in found.named().items()}

    def protocol(self) -> dict[str, Any]:
        """Return what the scores depend on, for run.json."""
        return {"count": self.count, "split": "heldout"}

    def summary(self) -> str:
        """Return the protocol in a line."""
        return f"evaluated every {self.every_steps} steps: the words generated for {self.count} held-out images"


def prepare(
    config: RunConfig, dataset: Dataset, extractor: Extractor | None, device: torch.device, task: Generate
) -> Evaluation:
    """Read the samples to compare with, the same for every run on these data, and compute the floors.

    Args:
        config: of a run that is evaluated.
        dataset: unopened.
        extractor: not yet loaded; None for points.
        device: of the run.
        task: of the run.

    Raises:
        UserError: there are not enough samples, or the extractor's weights are not there.
    """
    asked = config.evaluate
    data = open_singly(dataset, device, task)
    reals = two_sets(data, asked.split, asked.count, "evaluate.count", task, least(extractor))
    reals = reals._replace(first=task.with_source(reals.first, Draws(device, config.seed, "sample")))
    if extractor is not None:
        with torch.random.fork_rng(devices=[]):  # a network draws its weights before they are read
            extractor.load(device)
    reference = Reference(data, reals, extractor, asked.w1_count, config.train.batch_size, task)
    intervals = asked.every_steps, config.log.every_steps
    return Evaluation(reference, asked.split, *intervals, config.seed, config.train.batch_size)


def prepare_tags(config: RunConfig, data: RealData) -> TagEvaluation:
    """Return the evaluation of words for the held-out images of opened data."""
    asked = config.evaluate
    count = AUTO_COUNT if asked.count == "auto" else asked.count
    return TagEvaluation(data, count, asked.every_steps, config.log.every_steps, config.seed)
