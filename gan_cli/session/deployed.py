"""A generator as a function of tensors alone, which torch.export can trace."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gan_cli.models.derivatives import differentiated
from gan_cli.session.plain_networks import PlainGenerator
from gan_cli.training.game import Game

_WHOLE = 5.0  # a bound beyond which z is left as it is: one number in two million is larger
_GILES = (  # coefficients of w - 2.5 where w < 5, and of sqrt(w) - 3 elsewhere
    (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
     0.246640727, 1.50140941),
    (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
     1.00167406, 2.83297682),
)  # fmt: skip


class Deployed(PlainGenerator):
    """A generator that torch.export can trace, and that truncates z itself.

    Args:
        game: how labels and sources reach the network.
        network: the generator or its moving average, which is copied.

    Attributes:
        names: what it reads, by the names of `forward`'s arguments.
    """

    def __init__(self, game: Game, network: nn.Module) -> None:
        super().__init__(game, network)
        differentiated(self.network, None)  # torch's own layers alone can be traced
        self.names = [name for name, is_read in reads(game).items() if is_read]

    def forward(
        self,
        z: Tensor | None = None,
        y: Tensor | None = None,
        truncation: Tensor | None = None,
        source: Tensor | None = None,
    ) -> Tensor:
        """Return samples (N, ...), images in [-1, 1].

        Args:
            z: (N, size), drawn from the run's prior; None where that has no numbers.
            y: labels (N,), int64, or vectors (N, F), float32.
            truncation: psi, 0-d: a normal z becomes one of the normal distribution within +-psi; infinity: as it is.
            source: (N, ...), what the generator reads besides.
        """
        if z is None:
            z = source.new_zeros(source.shape[0], 0)  # len(source) would be a number of the graph
        return super().forward(z if truncation is None else within(z, truncation), y, source)


def reads(game: Game) -> dict[str, bool]:
    """Return which of `Deployed`'s arguments a game's generator reads."""
    return {
        "z": game.latent.total_size > 0,
        "y": game.condition.needs_labels,
        "truncation": can_truncate(game),
        "source": game.task.reads is not None,
    }


def can_truncate(game: Game) -> bool:
    """Return whether the prior is normal, so that its numbers have no bounds yet."""
    try:
        return bool(game.latent.truncated(1.0))
    except ValueError:
        return False


def within(z: Tensor, psi: Tensor) -> Tensor:
    """Return normal numbers as numbers of the normal distribution within +-psi, each between 0 and itself.

    The distribution function of the one and the inverse of the other's, as `Truncated` draws them.
    """
    inside = erfinv(torch.erf(z / math.sqrt(2)) * torch.erf(psi / math.sqrt(2))) * math.sqrt(2)
    bounded = torch.minimum(torch.maximum(inside, -psi), psi)
    return torch.where(psi < _WHOLE, bounded, z)


def erfinv(x: Tensor) -> Tensor:
    """Return the inverse error function in operations that ONNX has (Giles 2012, single precision)."""
    w = -torch.log((1 - x) * (1 + x) + torch.finfo(x.dtype).tiny)
    near, far = (_polynomial(c, t) for c, t in zip(_GILES, (w - 2.5, torch.sqrt(w) - 3), strict=True))
    return torch.where(w < 5, near, far) * x


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total
