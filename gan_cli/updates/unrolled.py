"""Unrolled GAN: the generator sees the critic a few updates ahead."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from gan_cli.updates.base import Phase, Updates
from gan_cli.updates.inner import Inner


class Unrolled(Updates):
    """n_critic critic updates, then one of the generator against the critic k steps ahead.

    Metz et al. 2017, equations 6, 7 and 9 to 11. The gradient passes through the k steps, their penalties too. They see
    one real batch and the generator's own fakes, as in the authors' notebook; the critic itself is not moved by them.
    k = 0 is `alternating`.

    In a game of one value (gan, wgan, f-GAN with the minimax generator) the generator minimises the whole of it, as the
    notebook does: the critic ahead answers real samples by what the generator made of it.

    Args:
        n_critic: critic updates a step.
        k: critic steps looked ahead.
        inner: the optimizer of those steps; `auto` is the critic's own, continued from its present state.
        inner_lr: their learning rate; None: the critic's.
    """

    def __init__(
        self,
        n_critic: PositiveInt = 1,
        k: NonNegativeInt = 5,
        inner: Literal["auto", "sgd", "rmsprop", "adam"] = "auto",
        inner_lr: PositiveFloat | None = None,
    ) -> None:
        self.n_critic = n_critic
        self.inner = Inner(k, inner, inner_lr) if k else None

    def phases(self, step: int) -> list[Phase]:
        """Return the step's phases."""
        last = self.n_critic - 1
        return [Phase("critic", last=i == last) for i in range(self.n_critic)] + [Phase("generator", inner=self.inner)]
