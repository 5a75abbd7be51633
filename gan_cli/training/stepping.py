"""Optimizers without torch._dynamo, which torch.optim loads for torch.compile: as long a wait as for torch itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache

import torch
from torch import _compile
from torch.optim import Optimizer


def step(optimizer: Optimizer) -> None:
    """Take one step: the arithmetic of `optimizer.step()`, for torch's own optimizers without what surrounds it."""
    if not type(optimizer).__module__.startswith("torch.optim.") or optimizer.defaults.get("differentiable"):
        optimizer.step()
        return
    with torch.no_grad():
        _arithmetic(type(optimizer))(optimizer)


@cache
def _arithmetic(cls: type[Optimizer]) -> Callable[[Optimizer], object]:
    """Return a class's `step` as it is written, out of its decorators."""
    return inspect.unwrap(cls.step)


def construct_without_dynamo() -> None:
    """From here on, constructing an optimizer or reading its state does not load torch._dynamo either.

    Those methods are marked as not to be compiled when they are first called; nothing here compiles them.
    """
    for method in vars(Optimizer).values():
        if inspect.isfunction(method) and method.__code__.co_filename == _compile.__file__:
            inner = inspect.unwrap(method)
            if not hasattr(inner, "__dynamo_disable"):
                setattr(inner, "__dynamo_disable", inner)
