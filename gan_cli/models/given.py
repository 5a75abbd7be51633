"""What a config says of a network that Python gives."""

from __future__ import annotations

from torch import nn


class Given(nn.Module):
    """Stands for a network that `gan_cli.train` was given; no config builds it, so every use of the run gives it again.

    Args:
        name: of its class.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
