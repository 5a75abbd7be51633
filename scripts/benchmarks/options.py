"""What the command line chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Options:
    """What the command line chooses; a part reads what concerns it.

    Attributes:
        losses: of the speed.
        sizes: S of the images.
        channels: C of the images.
        rounds: measurements of each thing, which take turns.
        steps: steps a measurement.
        images: of the data set larger than memory.
        overrides: of `gan train`, such as model.width=32.
        of: names of cases of the scale; none: all.
        share: of the sizes of the scale.
        show: shows a line while it runs.
    """

    losses: tuple[str, ...] = ("wgan", "wgan_gp", "nonsaturating")
    sizes: tuple[int, ...] = (32, 64)
    channels: tuple[int, ...] = (1,)
    rounds: int = 3
    steps: int = 1
    images: int = 200_000
    overrides: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    share: float = 1.0
    show: Callable[[str], None] = field(default=print)
