"""Checks values and `_target_` blocks of a config, without importing the classes that they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from gan_cli.config.signatures import read_signature
from gan_cli.config.sources import class_names
from gan_cli.config.targets import MOVED, check_target
from gan_cli.core.text import describe, did_you_mean, example, show
from gan_cli.errors import UserError

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def check_block(
    key: str, block: Any, allow_targets: Sequence[str] = (), supplied: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a `_target_` block with its values checked and in the types that its class annotates.

    Args:
        key: where the block stands, such as 'constraint' or 'optimizer.critic'.
        block: the mapping: `_target_` and keyword arguments, plain values.
        allow_targets: module prefixes that the command line opted in to.
        supplied: arguments that gan gives itself and a config may not.

    Returns:
        a plain mapping of the same keys; lists stay lists, an int given for a float becomes one.

    Raises:
        UserError: a class outside the allowed modules or not found; an argument that is unknown, missing, or of a
            wrong type or range.
    """
    if not isinstance(block, dict) or "_target_" not in block:
        raise UserError(f"{key}={show(block)}: must be a mapping with a _target_; choose an option ({key}=OPTION)")
    named = block["_target_"]
    target = check_target(key, MOVED.get(named, named) if isinstance(named, str) else named, allow_targets)
    try:
        signature = read_signature(target, allow_targets)
    except LookupError as error:
        module, _, name = target.rpartition(".")
        raise UserError(
            f"{key}._target_={target}: {error}{did_you_mean(name, _class_names(module) - {name})}"
        ) from error
    arguments = {str(name): value for name, value in block.items() if name != "_target_"}
    known = {name: p for name, p in signature.parameters.items() if name not in supplied}
    for name, value in arguments.items():
        if name in supplied:
            raise UserError(f"{key}.{name}={show(value)}: gan gives {name} itself; leave it out")
        if name not in known and (not signature.open or name.startswith("_")):
            raise unknown_key(f"{key}.{name}", value, known)
    for name, parameter in known.items():
        if parameter.required and name not in arguments:
            raise missing(f"{key}.{name}", json_schema(parameter.type))
    checked = {"_target_": target}
    for name, value in arguments.items():
        value = check_nested(f"{key}.{name}", value, allow_targets)
        expected, default = (known[name].type, known[name].default) if name in known else (Any, None)
        checked[name] = check_value(f"{key}.{name}", value, expected, default)
    return checked


def check_nested(key: str, value: Any, allow_targets: Sequence[str]) -> Any:
    """Return a value in which every mapping with a `_target_`, however deep, has passed `check_block`."""
    if isinstance(value, dict):
        if "_target_" in value:
            return check_block(key, value, allow_targets)
        return {k: check_nested(f"{key}.{k}", v, allow_targets) for k, v in value.items()}
    if isinstance(value, list):
        return [check_nested(f"{key}.{i}", v, allow_targets) for i, v in enumerate(value)]
    return value


def check_value(key: str, value: Any, expected: Any, default: Any = None) -> Any:
    """Return a plain value in the type that is expected: strict, as JSON, without infinities or NaN.

    Raises:
        UserError: another type, or out of range; the text says what is allowed.
    """
    adapter = _adapter(expected)
    try:
        return adapter.dump_python(adapter.validate_json(json.dumps(value, default=str)), mode="json")
    except ValidationError as error:
        raise wrong_value(key, value, adapter.json_schema(), default) from error


def wrong_value(key: str, value: Any, schema: dict[str, Any], default: Any = None) -> UserError:
    """Return the error for a value that is not what a JSON schema allows."""
    if isinstance(value, float) and value.is_integer() and schema.get("type") == "integer":
        default = int(value)
    good = example(schema) if default is None else default
    return UserError(f"{key}={show(value)}: must be {describe(schema)}, such as {key}={show(good)}")


def unknown_key(key: str, value: Any, known: Iterable[str], below: str = "") -> UserError:
    """Return the error for a key that does not exist, with the closest one that does.

    Args:
        key: as far as its parents exist.
        value: what it was to be.
        known: the keys beside it.
        below: what followed it, '.name' or ''.
    """
    parent, _, name = key.rpartition(".")
    hint = did_you_mean(name, known, f"{parent}." if parent else "", f"{below}={show(value)}")
    listing = ", ".join(known) or "none"
    where = f" of {parent}" if parent else ""
    return UserError(f"{key}{below}={show(value)}: no such key{hint or ';'} keys{where}: {listing}")


def missing(key: str, schema: dict[str, Any]) -> UserError:
    """Return the error for a value that must be given and is not."""
    good = show(example(schema))
    return UserError(f"{key}: no value is given; add +{key}={good} or another value: {describe(schema)}")


def json_schema(expected: Any) -> dict[str, Any]:
    """Return the JSON schema of a type; {} for one that pydantic does not know."""
    return _adapter(expected).json_schema()


def _adapter(expected: Any) -> TypeAdapter:
    try:
        return TypeAdapter(expected, config=_STRICT)
    except (PydanticSchemaGenerationError, TypeError):
        return TypeAdapter(Any)


def _class_names(module: str) -> set[str]:
    try:
        return set(class_names(module))
    except LookupError:
        return set()
