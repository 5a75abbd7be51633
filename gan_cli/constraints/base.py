"""The role of a constraint, which keeps the critic smooth, and the base class without one."""

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
        every: critic updates from one penalty to the next; the term is multiplied by this number.
        needs_per_image_gradients: the penalty needs the gradient at each image alone, which batch statistics in
            the critic would mix.
        critic_norm: the value of `model.critic.norm=auto`; always none if `needs_per_image_gradients`.
        target_norm: the penalty's target for the gradient norm at points between real and fake; None: no target.
        of_scores: the penalty is a function of the critic's scores, `score_penalty`.
        learns: `update_` moves buffers of the constraint, which is a module then.
        per_sample: the critic's weights do not depend on the number of forward passes of a batch.
        logged: declarations of the curves of `curves`.
    """

    penalises: ClassVar[bool] = False
    every: PositiveInt = 1
    needs_per_image_gradients: ClassVar[bool] = False
    critic_norm: ClassVar[Literal["batch", "none"]] = "batch"
    target_norm: float | None = None
    of_scores: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    per_sample: ClassVar[bool] = True
    logged: ClassVar[tuple[Curve, ...]] = ()

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise an error for samples (C, H, W) or (D,) to which this constraint does not apply.

        Raises:
            ValueError: these samples do not fit; the text names the option that fixes it.
        """

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return values for the settings that are `auto`, for samples (C, H, W) or (D,)."""
        return {}

    def parametrize(self, critic: nn.Module) -> None:
        """Change the parametrisation of the critic's weights, once, when the critic is built.

        Args:
            critic: with the attribute `trunk`, and `score` and `heads` where it has features; the heads are left alone.
        """

    def penalty(self, f: ScoreFunction, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the term, 0-d, that is added to the critic's loss.

        Args:
            f: the function whose gradient is penalised, samples -> (N,).
            real: real samples (N, ...), without a graph.
            fake: generated samples of the same shape; they keep their graph if both players' gradients are
                taken from one pass, or if the generator unrolls the critic, also through its influence on the penalty.
            draws: the random numbers of this phase; the constraint has the stream `penalty`.
        """
        return real.new_zeros(())

    def score_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the term, 0-d, for the critic's scores (N,) of real and fake samples, where `of_scores`."""
        return real.new_zeros(())

    def update_(self, real: Tensor, fake: Tensor) -> None:
        """Move the constraint's buffers by the scores (N,), after each critic update, where `learns`."""

    def projects(self, module: nn.Module) -> bool:
        """Return whether `project` applies to the direct parameters of a module of the critic."""
        return True

    def project(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the parameters projected into the allowed set, differentiably."""
        return dict(params)

    def project_(self, params: Sequence[Tensor]) -> None:
        """Project the parameters into the allowed set in place, after each critic update."""

    def curves(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return curves of the constraint's health, 0-d each, from the parameters subject to `project`."""
        return {}

    def advice(self, critic_optimizer: Mapping[str, Any]) -> list[str]:
        """Return warnings about settings that the literature found harmful with this constraint.

        Args:
            critic_optimizer: the `defaults` of the critic's optimizer: all settings, given or torch's defaults.
        """
        return []
