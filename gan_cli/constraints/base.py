"""What keeps a critic smooth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from gan_cli.core.curves import Curve
from gan_cli.rng import Draws

ScoreFunction = Callable[[Tensor], Tensor]


class Constraint:
    """No constraint; the base of all others.

    Attributes:
        penalises: `penalty` adds a term to the critic's loss.
        every: critic updates from one with the penalty to the next; the term is multiplied by as many.
        needs_per_image_gradients: the penalty is about the gradient at each image alone, which batch statistics in
            the critic would mix.
        critic_norm: what `model.critic.norm=auto` is; none in any case where `needs_per_image_gradients`.
        target_norm: of the gradient at points between real and fake, which the penalty asks for; None: for none.
        per_sample: the critic's weights do not depend on how many forward passes a batch is taken in.
        logged: what the curves of `curves` mean.
    """

    penalises: ClassVar[bool] = False
    every: PositiveInt = 1
    needs_per_image_gradients: ClassVar[bool] = False
    critic_norm: ClassVar[Literal["batch", "none"]] = "batch"
    target_norm: float | None = None
    per_sample: ClassVar[bool] = True
    logged: ClassVar[tuple[Curve, ...]] = ()

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the settings that were `auto`, for samples (C, H, W) or (D,)."""
        return {}

    def parametrize(self, critic: nn.Module) -> None:
        """Change the critic's weights' parametrisation, once, when it is built.

        Args:
            critic: with the attributes `trunk`, `score` and `heads`; the heads are left alone.
        """

    def penalty(self, f: ScoreFunction, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the term, 0-d, that is added to the critic's loss.

        Args:
            f: the function whose gradient is penalised, samples -> (N,).
            real: real samples (N, ...), without a graph.
            fake: generated samples of the same shape; with their graph, to be kept, where both players' gradients are
                taken from one pass or the generator looks ahead, through its influence on the penalty too.
            draws: the random numbers of this phase; the stream `penalty` is the constraint's own.
        """
        return real.new_zeros(())

    def projects(self, module: nn.Module) -> bool:
        """Return whether the parameters that lie directly in a module of the critic are subject to `project`."""
        return True

    def project(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the parameters moved into the allowed set, differentiably."""
        return dict(params)

    def project_(self, params: Sequence[Tensor]) -> None:
        """Move the parameters into the allowed set in place, after each critic update."""

    def curves(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return curves of the constraint's health, 0-d each, from the parameters subject to `project`."""
        return {}

    def advice(self, critic_optimizer: Mapping[str, Any]) -> list[str]:
        """Return warnings about settings that the literature found harmful under this constraint.

        Args:
            critic_optimizer: the `defaults` of the critic's optimizer: every setting, given or torch's own.
        """
        return []
