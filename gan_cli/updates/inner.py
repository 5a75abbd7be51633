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
    """The settings of k unrolled optimizer steps.

    Attributes:
        k: steps.
        optimizer: name of the optimizer; `auto`: the critic's own.
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
    options: Mapping[str, Any],
    slots: Slots,
) -> Weights:
    """Return the weights after k steps, a differentiable function of everything that `gradients` reads.

    Args:
        weights: the weights before the first step.
        gradients: (weights, i) -> gradients of the critic's objective in step i, with their graph; None for unused
            weights.
        project: projects weights into the allowed set after each step.
        k: steps.
        rule: one of RULES.
        options: the optimizer's, named as torch names them; what is missing has torch's default.
        slots: the optimizer's state for each weight, as torch keeps it; empty before its first step.
    """
    states = {name: dict(slots.get(name, {})) for name in weights}
    for i in range(k):
        found = gradients(weights, i)
        moved = {
            name: w if (g := found[name]) is None else RULES[rule](w, g, states[name], options)
            for name, w in weights.items()
        }
        weights = project(moved)
    return weights


def _decayed(w: Tensor, g: Tensor, options: Mapping[str, Any]) -> Tensor:
    return g + options["weight_decay"] * w if options.get("weight_decay") else g


def sgd(w: Tensor, g: Tensor, state: dict[str, Tensor], options: Mapping[str, Any]) -> Tensor:
    """Return the weight after one step of torch.optim.SGD, without Nesterov momentum."""
    g = _decayed(w, g, options)
    if momentum := options.get("momentum", 0.0):
        before = state.get("momentum_buffer")
        g = state["momentum_buffer"] = (
            g if before is None else momentum * before + (1 - options.get("dampening", 0.0)) * g
        )
    return w - options["lr"] * g


def rmsprop(w: Tensor, g: Tensor, state: dict[str, Tensor], options: Mapping[str, Any]) -> Tensor:
    """Return the weight after one step of torch.optim.RMSprop, not centred."""
    g = _decayed(w, g, options)
    alpha = options.get("alpha", 0.99)
    mean_square = alpha * state.get("square_avg", torch.zeros_like(w)) + (1 - alpha) * g.square()
    state["square_avg"] = mean_square
    g = g / (_root(mean_square) + options.get("eps", 1e-8))
    if momentum := options.get("momentum", 0.0):
        g = state["momentum_buffer"] = momentum * state.get("momentum_buffer", torch.zeros_like(w)) + g
    return w - options["lr"] * g


def adam(w: Tensor, g: Tensor, state: dict[str, Tensor], options: Mapping[str, Any]) -> Tensor:
    """Return the weight after one step of torch.optim.Adam, without amsgrad."""
    g = _decayed(w, g, options)
    beta1, beta2 = options.get("betas", (0.9, 0.999))
    t = state["step"] = state.get("step", torch.zeros(())) + 1
    m = state["exp_avg"] = beta1 * state.get("exp_avg", torch.zeros_like(w)) + (1 - beta1) * g
    v = state["exp_avg_sq"] = beta2 * state.get("exp_avg_sq", torch.zeros_like(w)) + (1 - beta2) * g.square()
    # Bias corrections stay tensors: a resumed count need not be read back from the device. They are taken in double, as
    # 1 - 0.999 has four digits in single.
    bias1, bias2 = ((1 - beta ** t.double()).to(w.dtype) for beta in (beta1, beta2))
    return w - options["lr"] / bias1 * m / (_root(v) / bias2.sqrt() + options.get("eps", 1e-8))


def _root(x: Tensor) -> Tensor:
    """Return the square root, with derivative 0 at 0: a weight without gradient must not make the others NaN."""
    return x.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


RULES: dict[str, Rule] = {"sgd": sgd, "rmsprop": rmsprop, "adam": adam}
