"""The alternating update rule: critic updates, then a generator update."""

from __future__ import annotations

from pydantic import NonNegativeInt, PositiveInt

from gan_cli.updates.base import Phase, Updates


class Alternating(Updates):
    """n_critic critic updates, then a generator update (Goodfellow et al. 2014, Arjovsky et al. 2017, Algorithm 1).

    The WGAN paper prints the loop as t = 0, ..., n_critic; it means n_critic updates, which are made here.

    Args:
        n_critic: critic updates per step.
        burst_n_critic: critic updates in the steps that the next two keys choose, as in the WGAN authors' code (100);
            neither is part of Algorithm 1.
        burst_first_steps: number of first steps with a burst each; 25 in the authors' code, 0 for none.
        burst_every_steps: a burst in every step divisible by this; 500 in the authors' code, 0 for none.
    """

    def __init__(
        self,
        n_critic: PositiveInt = 1,
        burst_n_critic: PositiveInt = 100,
        burst_first_steps: NonNegativeInt = 0,
        burst_every_steps: NonNegativeInt = 0,
    ) -> None:
        self.n_critic = n_critic
        self.burst_n_critic = burst_n_critic
        self.burst_first_steps = burst_first_steps
        self.burst_every_steps = burst_every_steps

    def phases(self, step: int) -> list[Phase]:
        """Return the phases of the step."""
        periodic = self.burst_every_steps and step % self.burst_every_steps == 0
        n = self.burst_n_critic if step < self.burst_first_steps or periodic else self.n_critic
        return [Phase("critic", last=i == n - 1) for i in range(n)] + [Phase("generator")]
