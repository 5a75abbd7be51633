"""What Python gives in the place of parts that a config builds."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn


class Given(NamedTuple):
    """Objects of Python; None where the config builds the part.

    Attributes:
        generator: z (N, size) -> samples (N, ...); a run trains a copy of it.
        critic: samples (N, ...) -> scores (N,) or (N, 1), or features (N, n_features); a run trains a copy of it.
        dataset: samples, as `array_set.as_arrays` takes them.
    """

    generator: nn.Module | None = None
    critic: nn.Module | None = None
    dataset: Any = None

    @property
    def networks(self) -> bool:
        """Whether a network is among them."""
        return self.generator is not None or self.critic is not None
