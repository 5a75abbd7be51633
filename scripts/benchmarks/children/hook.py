"""Runs `gan` with something put around its training loop, at no import that `gan` would not make itself."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

TRAINER = "gan_cli.training.trainer"
Fit = Callable[..., None]  # (state, run, callbacks)


class Watch(MetaPathFinder):
    """Wraps the loop as its module is imported.

    Args:
        wrap: the loop -> what is called in its place.
    """

    def __init__(self, wrap: Callable[[Fit], Fit]) -> None:
        self.wrap = wrap

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the loop's module, and nothing else."""
        if name != TRAINER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_wrap(module: ModuleType) -> None:
            load(module)
            module.fit = self.wrap(module.fit)

        spec.loader.exec_module = load_and_wrap
        return spec


def gan(wrap: Callable[[Fit], Fit]) -> int:
    """Run `gan` on this process's arguments and return its exit code."""
    sys.meta_path.insert(0, Watch(wrap))
    from gan_cli.cli import main

    return main(sys.argv[1:])


def waited(state: Any) -> None:
    """Return once the device has done what it was given."""
    parameter = next(state.game.parameters())
    if parameter.is_cuda:
        parameter.sum().item()
