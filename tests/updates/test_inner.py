"""The steps that the generator differentiates through, against torch's own optimizers and finite differences."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.updates.inner import RULES, unroll

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
}
CASES = [
    ("sgd", {"lr": 0.05}),
    ("sgd", {"lr": 0.05, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    ("rmsprop", {"lr": 0.01}),
    ("rmsprop", {"lr": 0.01, "alpha": 0.7, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1}),
    ("adam", {"lr": 0.01}),
    ("adam", {"lr": 0.01, "betas": (0.0, 0.9)}),
    ("adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
]


def objective(weights, b):
    """Not quadratic, so that the steps' gradients depend on where they are taken."""
    a, c = weights["a"], weights["c"]
    return (a.square() - b).square().sum() / 4 + (a.sum() * c).sin().sum()


def start():
    torch.manual_seed(0)
    return {"a": torch.randn(3, dtype=torch.float64), "c": torch.randn(2, 2, dtype=torch.float64)}


def gradients(b):
    def at(weights, i):
        found = torch.autograd.grad(objective(weights, b + i), list(weights.values()), create_graph=True)
        return dict(zip(weights, found, strict=True))

    return at


def used(rule, settings, weights, b, steps):
    """A torch optimizer that has taken some steps."""
    params = {name: torch.nn.Parameter(w.clone()) for name, w in weights.items()}
    optimizer = OPTIMIZERS[rule](params.values(), **settings)
    take(optimizer, params, b, steps)
    return params, optimizer


def take(optimizer, params, b, steps):
    for i in range(steps):
        optimizer.zero_grad()
        objective(params, b + i).backward()
        optimizer.step()


@pytest.mark.parametrize("steps_before", [0, 3])
@pytest.mark.parametrize(("rule", "settings"), CASES)
def test_five_steps_equal_torchs(rule, settings, steps_before):
    b = torch.tensor([0.1, 0.7, -0.3], dtype=torch.float64)
    params, optimizer = used(rule, settings, start(), b, steps_before)
    weights = {name: p.detach().clone().requires_grad_() for name, p in params.items()}
    slots = {
        name: {k: v.clone() for k, v in optimizer.state.get(p, {}).items() if v is not None}
        for name, p in params.items()
    }
    kept = {name: {k: v.clone() for k, v in state.items()} for name, state in slots.items()}
    ahead = unroll(weights, gradients(b), lambda w: w, 5, rule, optimizer.param_groups[0], slots)
    assert_close(slots, kept, rtol=0, atol=0)
    take(optimizer, params, b, 5)
    assert_close(ahead, {name: p.detach() for name, p in params.items()}, rtol=1e-6, atol=1e-8, check_dtype=True)


@pytest.mark.parametrize(("rule", "settings"), CASES)
def test_the_derivative_of_five_steps_by_finite_differences(rule, settings):
    b = torch.tensor([0.1, 0.7, -0.3], dtype=torch.float64)
    _, optimizer = used(rule, settings, start(), b, 3)
    slots = dict(zip("ac", (dict(state) for state in optimizer.state.values()), strict=False))

    def ahead(a, c, b):
        project = lambda w: {name: x.clamp(-2, 2) for name, x in w.items()}  # noqa: E731
        moved = unroll({"a": a, "c": c}, gradients(b), project, 5, rule, settings, slots)
        return tuple(moved.values())

    at = [*(w.requires_grad_() for w in start().values()), b.requires_grad_()]
    assert torch.autograd.gradcheck(ahead, at, rtol=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_a_weight_that_nothing_moves_stays_and_has_a_finite_derivative(rule):
    w = {"used": torch.ones(2, requires_grad=True), "flat": torch.ones(2, requires_grad=True), "unused": torch.ones(1)}

    def found(weights, i):
        g = torch.autograd.grad((weights["used"].square() + 0 * weights["flat"]).sum(), list(weights.values())[:2],
                                create_graph=True)  # fmt: skip
        return {"used": g[0], "flat": g[1], "unused": None}

    ahead = unroll(w, found, lambda x: x, 3, rule, {"lr": 0.1}, {})
    assert_close(ahead["flat"], torch.ones(2))
    assert ahead["unused"] is w["unused"]
    assert all(g.isfinite().all() for g in torch.autograd.grad(ahead["used"].sum() + ahead["flat"].sum(),
                                                              [w["used"], w["flat"]]))  # fmt: skip
