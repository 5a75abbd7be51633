"""The role of an input: a change of real and fake samples before the critic sees them."""

from __future__ import annotations

from torch import Tensor

from gan_cli.rng import Draws


class Input:
    """No change; the base class of all inputs."""

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise an error for samples (C, H, W) or (D,) to which this input does not apply.

        Raises:
            ValueError: these samples do not fit; the text names the option that fixes it.
        """

    def __call__(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return the critic's input, of the same shape, differentiable in x.

        Args:
            x: samples (N, ...), images in [-1, 1].
            stream: of the random numbers; real and generated samples have their own.
            draws: the random numbers of this phase; `draws.scheduled` gives what depends on the step.
        """
        return x
