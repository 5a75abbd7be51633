"""What keeps a critic smooth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from gan_cli.rng import Draws


class Constraint:
    """No constraint; the base of all others.

    Attributes:
        penalises: `penalty` adds a term to the critic's loss.
        needs_per_image_gradients: the penalty is about the gradient at each image alone, which batch statistics in
            the critic would mix.
    """

    penalises: ClassVar[bool] = False
    needs_per_image_gradients: ClassVar[bool] = False

    def resolve(self, sample_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the settings that were `auto`, for samples (C, H, W) or (D,)."""
        return {}

    def parametrize(self, critic: nn.Module) -> None:
        """Change the critic's weights' parametrisation, once, when it is built."""

    def penalty(self, f: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """Return the term, 0-d, that is added to the critic's loss.

        Args:
            f: the witness function, samples -> (N,).
            real: real samples (N, ...).
            fake: generated samples of the same shape.
            draws: the random numbers of this phase.
        """
        return real.new_zeros(())

    def project(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the parameters moved into the allowed set, differentiably."""
        return dict(params)

    def project_(self, params: Sequence[Tensor]) -> None:
        """Move the parameters into the allowed set in place, after each critic update."""

    def curves(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return curves of the constraint's health, 0-d each."""
        return {}

    def advice(self, critic_optimizer: Mapping[str, Any]) -> list[str]:
        """Return warnings about settings that the literature found harmful under this constraint."""
        return []
