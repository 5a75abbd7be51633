"""Differentiable optimizer steps: the arithmetic of SGD, RMSprop and Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Weights = dict[str, Tensor]
Slots = Mapping[str, Mapping[str, Tensor]]
Rule = Callable[[Tensor, Tensor, dict[str, Tensor], Mapping[str, Any]], Tensor]


class Inner(NamedTuple):
    """k steps of an optimizer.

    Attributes:
        k: steps.
        optimizer: whose arithmetic; `auto`: the critic's own.
        lr: learning rate; None: the critic's own.
    """

    k: int
    optimizer: Literal["auto", "sgd", "rmsprop", "adam"] = "auto"
    lr: float | None = None


def unroll(
    weights: Weights,
    gradients: Callable[[Weights, int], Mapping[str, Tensor | None]],
    project: Callable[[Weights], Weights],
    k: int,
    rule: str,
    settings: Mapping[str, Any],
    slots: Slots,
) -> Weights:
    """Return the weights after k steps, a differentiable function of everything that `gradients` reads.

    Args:
        weights: where the steps start.
        gradients: of the critic's objective at given weights in step i, with their graph; None for an unused weight.
        project: moves weights into the allowed set after each step.
        k: steps.
        rule: one of RULES.
        settings: the optimizer's, named as torch names them; what is missing has torch's default.
        slots: the optimizer's state for each weight, as torch keeps it; empty before its first step.
    """
    states = {name: dict(slots.get(name, {})) for name in weights}
    for i in range(k):
        found = gradients(weights, i)
        moved = {
            name: w if (g := found[name]) is None else RULES[rule](w, g, states[name], settings)
            for name, w in weights.items()
        }
        weights = project(moved)
    return weights


def _decayed(w: Tensor, g: Tensor, settings: Mapping[str, Any]) -> Tensor:
    return g + settings["weight_decay"] * w if settings.get("weight_decay") else g


def sgd(w: Tensor, g: Tensor, state: dict[str, Tensor], settings: Mapping[str, Any]) -> Tensor:
    """One step of torch.optim.SGD, without Nesterov momentum."""
    g = _decayed(w, g, settings)
    if momentum := settings.get("momentum", 0.0):
        before = state.get("momentum_buffer")
        g = state["momentum_buffer"] = (
            g if before is None else momentum * before + (1 - settings.get("dampening", 0.0)) * g
        )
    return w - settings["lr"] * g


def rmsprop(w: Tensor, g: Tensor, state: dict[str, Tensor], settings: Mapping[str, Any]) -> Tensor:
    """One step of torch.optim.RMSprop, not centred."""
    g = _decayed(w, g, settings)
    alpha = settings.get("alpha", 0.99)
    mean_square = alpha * state.get("square_avg", torch.zeros_like(w)) + (1 - alpha) * g.square()
    state["square_avg"] = mean_square
    g = g / (_root(mean_square) + settings.get("eps", 1e-8))
    if momentum := settings.get("momentum", 0.0):
        g = state["momentum_buffer"] = momentum * state.get("momentum_buffer", torch.zeros_like(w)) + g
    return w - settings["lr"] * g


def adam(w: Tensor, g: Tensor, state: dict[str, Tensor], settings: Mapping[str, Any]) -> Tensor:
    """One step of torch.optim.Adam, without amsgrad."""
    g = _decayed(w, g, settings)
    beta1, beta2 = settings.get("betas", (0.9, 0.999))
    t = state["step"] = state.get("step", torch.zeros(())) + 1
    m = state["exp_avg"] = beta1 * state.get("exp_avg", torch.zeros_like(w)) + (1 - beta1) * g
    v = state["exp_avg_sq"] = beta2 * state.get("exp_avg_sq", torch.zeros_like(w)) + (1 - beta2) * g.square()
    # Bias corrections stay tensors: a resumed count need not be read back from the device. They are taken in double, as
    # 1 - 0.999 has four digits in single.
    bias1, bias2 = ((1 - beta ** t.double()).to(w.dtype) for beta in (beta1, beta2))
    return w - settings["lr"] / bias1 * m / (_root(v) / bias2.sqrt() + settings.get("eps", 1e-8))


def _root(x: Tensor) -> Tensor:
    """Square root whose derivative at 0 is 0: a weight that no sample moves must not turn the rest into NaN."""
    return x.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


RULES: dict[str, Rule] = {"sgd": sgd, "rmsprop": rmsprop, "adam": adam}
