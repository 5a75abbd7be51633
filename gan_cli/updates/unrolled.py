"""The update rule of the unrolled GAN: the generator uses a critic that is unrolled by several steps."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from gan_cli.updates.base import Phase, Updates
from gan_cli.updates.inner import Inner


class Unrolled(Updates):
    """n_critic critic updates, then a generator update against the critic unrolled by k steps.

    Metz et al. 2017, equations 6, 7 and 9 to 11. The gradient passes through the k steps and their penalties. They use
    one real batch and the generator's own fakes, as in the authors' notebook; the critic itself does not change.
    k = 0 is `alternating`.

    In a game with one value (gan, wgan, f-GAN with the minimax generator) the generator minimises the whole value, as
    the notebook does: the unrolled critic's output for real samples depends on the generator too.

    Args:
        n_critic: critic updates per step.
        k: critic steps that are unrolled.
        inner: the optimizer of those steps; `auto` is the critic's own, starting with its present state.
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
        """Return the phases of the step."""
        last = self.n_critic - 1
        return [Phase("critic", last=i == last) for i in range(self.n_critic)] + [Phase("generator", inner=self.inner)]
