"""Studies of a finished generator: copies, truncation, repeated samples, modes, statistics of its batch norms."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import PositiveInt

from gan_cli.api.run import Run
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, logged, panels, show_picture, show_samples
from gan_cli.studies.measured import Measured, difference, over_seeds


class Memorisation(Study):
    """Reads `few`, a generator trained on few images to their optimal transport, and `gan`, on all images."""

    def look(self, runs: Runs) -> Finding:
        """Measure the share of samples that are nearer to a training image than 1 % of held-out images are."""
        found = {name: [run.explore("neighbours") for run in each] for name, each in runs.items()}
        measured = {
            name: over_seeds([look.numbers["share_of_copies"] for look in looks], within=(0, 1))
            for name, looks in found.items()
        }
        figure, axes = panels(len(found), width=5.5, height=5.5)
        for place, (name, looks) in zip(axes[0], found.items(), strict=True):
            show_picture(place, looks[0].pictures[""], f"{name}: samples and the nearest training images")
        return Finding(figure, measured, [f"{name}: {looks[0].numbers['verdict']}" for name, looks in found.items()])


class Truncation(Study):
    """Reads one run, `gan`; the claims are `precision` and `recall`, at the smaller bound less those at the larger.

    Args:
        small: psi, a bound of z.
        large: another one.
        **arguments: those of `Study`.
    """

    def __init__(self, *, small: float, large: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.small, self.large = small, large

    def look(self, runs: Runs) -> Finding:
        """Measure precision and recall as the bound grows."""
        psi = sorted({self.small, 0.5, 1.0, 1.5, 2.0, self.large})
        looks = [run.explore("truncation", psi=psi) for run in runs["gan"]]
        ends = [[look.numbers["at"][f"{bound:g}"] for look in looks] for bound in (self.small, self.large)]
        measured = {key: difference(*([row[key] for row in side] for side in ends)) for key in ("precision", "recall")}
        figure, axes = panels(2, width=6.0, height=4.0)
        for name, place in zip(("", "curve"), axes[0], strict=True):
            show_picture(place, looks[0].pictures[name], name)
        return Finding(figure, measured, looks[0].lines)


class BirthdayTest(Study):
    """Reads one run of each name; a claim's name is a run's, and its number the effective support with its interval.

    The interval is that of the test on the first seed's run.
    """

    def look(self, runs: Runs) -> Finding:
        """Estimate how many different samples each generator has (Arora and Zhang 2017)."""
        found = {name: _support(each[0]) for name, each in runs.items()}
        figure, axes = panels(1 + len(found), width=3.8)
        for place, (name, (_, curve)) in zip(axes[0, 1:], found.items(), strict=True):
            show_samples(place, runs[name][0], name)
            axes[0, 0].plot(*zip(*curve, strict=True), "o-", label=name)
        labelled(axes[0, 0], "Batches with a duplicate", "samples in a batch", "share")
        return Finding(figure, {name: support for name, (support, _) in found.items()})


class Statistics(Study):
    """Reads one run, `gan`, evaluated with the running averages of its batch norms and with those of many inputs."""

    def look(self, runs: Runs) -> Finding:
        """Compare the Frechet distances of the same weights."""
        of = {kind: [_frechet(run, kind) for run in runs["gan"]] for kind in ("running", "whole")}
        gains = [running - whole for running, whole in zip(of["running"], of["whole"], strict=True)]
        figure, axes = panels(2)
        for seed, pair in enumerate(zip(of["running"], of["whole"], strict=True)):
            axes[0, 0].plot(["running", "whole"], pair, "o-", label=f"run {seed}")
        labelled(axes[0, 0], "Frechet distance", "statistics")
        show_samples(axes[0, 1], runs["gan"][0], "samples, running averages")
        lines = [f"{kind}: {', '.join(f'{value:.4f}' for value in values)}" for kind, values in of.items()]
        return Finding(figure, {"gain": over_seeds(gains)}, lines)


class StackedModes(Study):
    """Reads runs on stacked images; a claim's number is the modes of one run less the modes of another.

    Args:
        compare: for each claim `[RUN, OTHER]`.
        samples: of each run.
        **arguments: those of `Study`.
    """

    def __init__(self, *, compare: dict[str, list[str]], samples: PositiveInt, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.compare, self.samples = compare, samples

    def look(self, runs: Runs) -> Finding:
        """Count the modes that samples reach, and their divergence from equal shares."""
        found = {
            name: [run.collapse(batches=10, max_size=8, count=self.samples).classes for run in each]
            for name, each in runs.items()
        }
        modes = {name: [float(classes.met) for classes in each] for name, each in found.items()}
        measured = {claim: difference(modes[first], modes[other]) for claim, (first, other) in self.compare.items()}
        figure, axes = panels(1 + len(runs))
        axes[0, 0].bar([*modes], [sum(each) / len(each) for each in modes.values()], color="#1864ab")
        labelled(axes[0, 0], "Modes", "")
        for place, (name, each) in zip(axes[0, 1:], runs.items(), strict=True):
            show_samples(place, each[0], name)
        lines = [
            f"{name}: modes {', '.join(f'{c.met} (KL {c.kl_to_uniform:.2f})' for c in each)}"
            for name, each in found.items()
        ]
        return Finding(figure, measured, lines)


class Architectures(Study):
    """Reads runs `LOSS ARCHITECTURE`; an architecture trains under a loss if its score ends below a bound.

    The claims are `gain`, by how many more architectures train under the first loss than under the second, and `first`,
    the share that trains under the first.

    Args:
        losses: the two.
        score: a tag of which lower is better.
        below: the bound.
        **arguments: those of `Study`.
    """

    def __init__(self, *, losses: list[str], score: str, below: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.losses, self.score, self.below = losses, score, below

    def look(self, runs: Runs) -> Finding:
        """Count the architectures that train under each loss."""
        ends = {name: [float(logged(run, self.score)[1][-1]) for run in each] for name, each in runs.items()}
        trained = {
            loss: np.sum(
                [np.less(values, self.below) for name, values in ends.items() if name.split()[0] == loss], axis=0
            )
            for loss in self.losses
        }  # by seed
        first, second = (trained[loss] for loss in self.losses)
        total = len(ends) // len(self.losses)
        figure, axes = panels(1, width=7.0)
        names = [name.split()[1] for name in ends if name.split()[0] == self.losses[0]]
        for loss, marker in zip(self.losses, "os", strict=True):
            axes[0, 0].semilogy(names, [np.mean(ends[f"{loss} {name}"]) for name in names], marker, label=loss)
        axes[0, 0].axhline(self.below, color="black", linestyle="--")
        axes[0, 0].tick_params(axis="x", rotation=60)
        labelled(axes[0, 0], self.score, "")
        lines = [f"{loss}: {counts.tolist()} of {total} architectures train" for loss, counts in trained.items()]
        return Finding(
            figure,
            {"gain": difference(first, second), "first": over_seeds(first / total, within=(0, 1))},
            lines,
            {"ends": ends},
        )


def _frechet(run: Run, statistics: str) -> float:
    scores = run.evaluate(statistics=statistics).scores
    return next(score.value for name, score in scores.items() if name.startswith(("fid", "frechet_distance")))


def _support(run: Run) -> tuple[Measured, list[tuple[int, float]]]:
    """Return the effective support, and the share of batches with a duplicate by their size."""
    looked = run.collapse()
    test = looked.tests[looked.space]
    return Measured(test.support, test.low, test.high), [(s.size, s.with_duplicate / s.batches) for s in test.sizes]
