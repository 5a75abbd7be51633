"""The first thing a child runs: light, so that the parent need not import what only children use."""

from __future__ import annotations

import importlib
from typing import Any


def do(work: str, *args: Any) -> None:
    """Call a function of `warm` by its name."""
    getattr(importlib.import_module("tests.faults.warm"), work)(*args)


def child(*args: Any) -> None:
    """See `warm.child`."""
    importlib.import_module("tests.faults.warm").child(*args)
