"""What `build` does for each part: the object that a block of the config names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from gan_cli.errors import UserError

T = TypeVar("T")


def class_of(target: str, key: str) -> type:
    """Return the class of a `_target_`, which has passed the allow-list of `targets` already.

    Raises:
        UserError: there is none.
    """
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{key}._target_={target}: {error}") from error
    if not inspect.isclass(found):
        raise UserError(f"{key}._target_={target}: not a class")
    return found


def make(settings: Mapping[str, Any], key: str, role: type[T], **supplied: Any) -> T:
    """Construct the part at a dotted key of the config.

    Args:
        settings: validated.
        key: of a block with a `_target_`.
        role: what its class must be.
        **supplied: arguments that no config has.

    Raises:
        UserError: another class, or arguments that it does not take.
    """
    spec = settings
    for part in key.split("."):
        spec = spec[part]
    cls = class_of(spec["_target_"], key)
    if not issubclass(cls, role):
        raise UserError(f"{key}._target_={spec['_target_']}: not a {role.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise UserError(f"{key}._target_={spec['_target_']}: the class lacks the methods it must have: {missing}")
    arguments = {name: value for name, value in spec.items() if name != "_target_"}
    try:
        inspect.signature(cls).bind(**arguments, **supplied)
    except TypeError as error:
        raise UserError(f"{key} ({cls.__name__}): {error}") from error
    try:
        return cls(**arguments, **supplied)
    except ValueError as error:
        raise UserError(f"{key} ({cls.__name__}): {error}") from error
