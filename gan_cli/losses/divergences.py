"""The f-divergences of the f-GAN paper: an output activation g_f, and the conjugate f* of its value.

f*(g_f(v)) is one expression of the score v, simplified by hand where the composition of the two would lose digits or
overflow in between. Every pair is finite in float32 for |v| <= 50, and so are its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

Function = Callable[[Tensor], Tensor]
Name = Literal[
    "total_variation",
    "kl",
    "reverse_kl",
    "pearson",
    "neyman",
    "squared_hellinger",
    "jeffrey",
    "jensen_shannon",
    "gan",
    "alpha",
]


class Divergence(NamedTuple):
    """The two functions that turn a critic's score into a bound of a divergence.

    Attributes:
        activation: g_f, increasing, from the reals into the domain of f*.
        conjugate: v -> f*(g_f(v)).
    """

    activation: Function
    conjugate: Function


def alpha_divergence(alpha: float) -> Divergence:
    """Return the alpha divergence, f(u) = (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1)).

    f*(t) = (x^(alpha / (alpha - 1)) - 1) / alpha with x = 1 + (alpha - 1) t. For alpha > 1 the paper's table leaves
    open what happens where x is negative; the supremum over u >= 0 is then at u = 0, so f* stays at -1 / alpha.

    Raises:
        ValueError: 0 or 1, whose limits are the two Kullback-Leibler divergences; above 0.6 and below 1, where f*(g_f)
            grows like exp(v alpha / (1 - alpha)).
    """
    if alpha in (0, 1):
        raise ValueError(
            f"alpha={alpha:g}: this limit is a loss of its own: loss=fgan_{'reverse_kl' if alpha == 0 else 'kl'}"
        )
    if 0.6 < alpha < 1:
        raise ValueError(
            f"alpha={alpha:g}: scores overflow between 0.6 and 1; use loss.alpha=0.6, or loss=fgan_kl (the limit at 1)"
        )
    power = alpha / (alpha - 1)
    if alpha < 1:  # x = (1 - alpha) softplus(-v)
        return Divergence(
            lambda v: 1 / (1 - alpha) - softplus(-v),
            lambda v: torch.expm1(power * (math.log(1 - alpha) + _log_softplus(-v))) / alpha,
        )
    return Divergence(lambda v: v, lambda v: _power_less_one((alpha - 1) * v, power) / alpha)


def _log_softplus(x: Tensor) -> Tensor:
    """Return log log(1 + e^x); for very negative x by its series, whose derivatives do not divide by e^2x."""
    left = x < -20
    return torch.where(left, x - torch.where(left, x, 0.0).exp() / 2, softplus(x.clamp_min(-20)).log())


def _power_less_one(x: Tensor, power: float) -> Tensor:
    """Return max(1 + x, 0)^power - 1, power > 1; below x = -1 every derivative is 0."""
    inside = x > -1
    return torch.where(inside, torch.expm1(power * torch.where(inside, x, 0.0).log1p()), -1.0)


def _jeffrey_conjugate(t: Tensor) -> Tensor:
    """Return W(e^(1 - t)) + 1 / W(e^(1 - t)) + t - 2, W the Lambert function, without e^(1 - t).

    s = log W solves s + e^s = 1 - t, and the sum is e^-s - s - 1. Newton's method starts to the right of the root of
    this convex function, so that every step comes closer; two steps carry the graph, which makes derivatives exact up
    to the third.
    """
    y = 1 - t
    with torch.no_grad():
        s = torch.where(y < 1, y, y.clamp_min(1).log())
        for _ in range(6):
            s = s - (s + s.exp() - y) / (1 + s.exp())
    for _ in range(2):
        s = s - (s + s.exp() - y) / (1 + s.exp())
    return torch.expm1(-s) - s


DIVERGENCES: dict[str, Divergence] = {
    "total_variation": Divergence(lambda v: v.tanh() / 2, lambda v: v.tanh() / 2),
    "kl": Divergence(lambda v: v, lambda v: torch.exp(v - 1)),
    "reverse_kl": Divergence(lambda v: -(-v).exp(), lambda v: v - 1),
    "pearson": Divergence(lambda v: v, lambda v: v.square() / 4 + v),
    "neyman": Divergence(lambda v: -(-v).expm1(), lambda v: -2 * (-v / 2).expm1()),
    "squared_hellinger": Divergence(lambda v: -(-v).expm1(), lambda v: v.expm1()),
    "jeffrey": Divergence(lambda v: v, _jeffrey_conjugate),
    "jensen_shannon": Divergence(lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2)),
    "gan": Divergence(lambda v: -softplus(-v), softplus),
}
