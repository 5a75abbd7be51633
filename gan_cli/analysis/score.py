"""One score of samples: its value, what to hold it against, and in which direction it is better."""

from __future__ import annotations

from typing import NamedTuple

from gan_cli.core import curves


class Score(NamedTuple):
    """One score with its floor and sample counts.

    Attributes:
        name: such as frechet_distance_fashion_mnist.
        value: score of the fakes.
        floor: score of as many other real samples in their place; None if that has no meaning.
        n_real: number of real samples compared with.
        n_fake: number of fakes, and of other real samples for the floor.
        space: the space in which distances are measured; `pairs`: of each sample from its target.
        baseline: score of what is made of the same sources without learning; None where there are no sources.
        std: its standard deviation over parts of the fakes; None where there are no parts.
        better: the direction in which it is better; "": as its curve says.
    """

    name: str
    value: float
    floor: float | None
    n_real: int
    n_fake: int
    space: str
    baseline: float | None = None
    std: float | None = None
    better: str = ""

    @property
    def tag(self) -> str:
        """Return the tag of its curve, which says in which direction the score is better."""
        return f"{'distance' if self.space in ('pixels', 'points') else 'quality'}/{self.name}"

    @property
    def direction(self) -> str:
        """Return in which direction it is better: higher, lower or neither."""
        return self.better or curves.better(self.tag)
