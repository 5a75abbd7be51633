"""Studies of a finished generator: copies of training images, truncation, repeated samples."""

from __future__ import annotations

from typing import Any

from gan_cli.api.run import Run
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels, show_picture, show_samples
from gan_cli.studies.measured import Measured, difference, over_seeds


class Memorisation(Study):
    """Reads `few`, a generator trained on few images to their optimal transport, and `gan`, on all images."""

    def look(self, runs: Runs) -> Finding:
        """Measure the share of samples that are nearer to a training image than 1 % of held-out images are."""
        found = {name: [run.explore("neighbours") for run in each] for name, each in runs.items()}
        measured = {
            name: over_seeds([look.numbers["share_of_copies"] for look in looks]) for name, looks in found.items()
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


def _support(run: Run) -> tuple[Measured, list[tuple[int, float]]]:
    """Return the effective support, and the share of batches with a duplicate by their size."""
    looked = run.collapse()
    test = looked.tests[looked.space]
    return Measured(test.support, test.low, test.high), [(s.size, s.with_duplicate / s.batches) for s in test.sizes]
