"""Hydra's grammar under `python -O`."""

from __future__ import annotations

import inspect

from hydra.core.override_parser import overrides_visitor

_STEPPING = ("visitFunction", "visitDictKeyValuePair")  # they step through their input inside an assert


def with_asserts() -> None:
    """Give the parser of overrides the functions that PYTHONOPTIMIZE breaks: it leaves out every assert."""
    source = inspect.getsource(overrides_visitor)
    fresh: dict[str, type] = {"__name__": overrides_visitor.__name__}
    exec(compile(source, overrides_visitor.__file__, "exec", optimize=0, dont_inherit=True), fresh)
    for name in _STEPPING:
        setattr(overrides_visitor.HydraOverrideVisitor, name, getattr(fresh["HydraOverrideVisitor"], name))
