"""The simultaneous update rule: both players at once."""

from __future__ import annotations

from gan_cli.updates.base import Phase, Updates


class Simultaneous(Updates):
    """Both players take a gradient step from the same point, one forward pass for both (Nowozin et al. 2016, alg. 1).

    All gradients are taken before any weight moves.
    """

    def phases(self, step: int) -> list[Phase]:
        """Return the single phase of the step."""
        return [Phase("both", last=True)]
