"""The role of an input: a change of real and fake samples before the critic sees them."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.rng import Draws


class Input:
    """No change; the base class of all inputs.

    Attributes:
        pack: samples that the critic reads at once.
        learns: `update_` moves buffers of the input, which is a module then.
        logged: declarations of the curves of `curves`.
    """

    pack: int = 1
    learns: ClassVar[bool] = False
    logged: ClassVar[tuple[Curve, ...]] = ()

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise an error for samples (C, H, W) or (D,) to which this input does not apply.

        Raises:
            ValueError: these samples do not fit; the text names the option that fixes it.
        """

    def critic_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what the critic reads for samples of this shape."""
        return sample_shape

    def alone(self, x: Tensor) -> Tensor:
        """Return what the critic reads for single samples (N, ...), unchanged otherwise."""
        return x

    def update_(self, real: Tensor, fake: Tensor) -> None:
        """Move the input's buffers by the critic's scores (N,), after each critic update, where `learns`."""

    def curves(self) -> dict[str, Tensor]:
        """Return curves of the input's state, 0-d each."""
        return {}

    def __call__(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return the critic's input, of the same shape, differentiable in x.

        Args:
            x: samples (N, ...), images in [-1, 1].
            stream: of the random numbers; real and generated samples have their own.
            draws: the random numbers of this phase; `draws.scheduled` gives what depends on the step.
        """
        return x
