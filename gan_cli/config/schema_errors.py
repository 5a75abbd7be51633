"""Mistakes in a config, each in one line: the key, its value, and what a JSON schema allows there in English."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from gan_cli.config.tree import conf_dir, options
from gan_cli.core.text import did_you_mean, shell_word, show
from gan_cli.errors import UserError

_TYPES = {"string": "text", "boolean": "true or false", "null": "null", "object": "a mapping of keys to values"}
_LIMITS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def explained(error: ValidationError, schema: dict[str, Any], given: Any, key: str = "") -> UserError:
    """Return pydantic's first error as one about a key.

    Args:
        error: the errors of `given`.
        schema: the JSON schema that it does not fit.
        given: mappings, lists and values.
        key: where it stands in the config; '': it is the config.
    """
    found = error.errors(include_url=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])  # it explains the others
    node, value, is_given = schema, given, True
    for name in first["loc"]:
        known = _keys(node, schema)
        if known is None or not (is_given and isinstance(value, dict)):
            break  # what is below, such as a union's member or a list's index, is one value
        parent, key = key, f"{key}.{name}" if key else str(name)
        is_given, value = name in value, value.get(name)
        if name not in known:
            hint = did_you_mean(str(name), known, f"{parent}." if parent else "", f"={show(value)}", shell_word) or ";"
            beside = f" of {parent}" * bool(parent) + f": {', '.join(known) or 'none'}"
            return UserError(f"{key}={show(value)}: no such key{hint} keys{beside}")
        node = known[name]
    group, known = key.partition(".")[0], _keys(node, schema)
    if known and not is_given and options(key, conf_dir()):
        return UserError(f"no {group} is chosen; add {group}=OPTION (see `gan list {group}`)")
    if known and key:
        return UserError(f"{key}={show(value)}: must be a mapping with the keys {', '.join(known)}")
    if not is_given:
        return UserError(f"{key}: no value is given; add +{key}=VALUE: {describe(node)}")
    if isinstance(value, float) and value.is_integer() and node.get("type") == "integer":
        good = int(value)
    else:
        good = example(node)
    such_as = "" if good is None else f", such as {shell_word(f'{key}={show(good)}')}"
    return UserError(f"{key or 'the config'}={show(value)}: must be {describe(node)}{such_as}")


def describe(schema: dict[str, Any]) -> str:
    """Return in English what a JSON schema allows: 'a whole number of at least 1'."""
    *others, last = dict.fromkeys(_alternatives(schema))
    return f"{', '.join(others)} or {last}" if others else last


def example(schema: dict[str, Any]) -> Any:
    """Return a value that a JSON schema allows and names; None where it names none."""
    named = [*schema.get("examples", []), schema.get("default"), *schema.get("enum", []), schema.get("const")]
    found = [*named, *map(example, schema.get("anyOf", []))]
    return next((value for value in found if value is not None), None)


def _keys(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the keys of a mapping with their schemas; None for what is no mapping with known keys."""
    for kind in node.get("anyOf") or node.get("allOf") or [node]:
        kind = schema["$defs"][kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind
        if "properties" in kind:
            return kind["properties"]
    return None


def _alternatives(schema: dict[str, Any]) -> list[str]:
    if "description" in schema:
        return [schema["description"]]
    if "anyOf" in schema:
        return [text for inner in schema["anyOf"] for text in _alternatives(inner)]
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [show(value) for value in values] or [_one(schema)]


def _one(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind in ("integer", "number"):
        limits = " and ".join(f"{text} {schema[key]:g}" for key, text in _LIMITS.items() if key in schema)
        return f"a {'whole ' if kind == 'integer' else ''}number {limits}".rstrip()
    if kind == "array":
        items = schema.get("prefixItems", [])
        least = f" of at least {schema['minItems']}" if schema.get("minItems") else ""
        each = ", ".join(dict.fromkeys(map(describe, items or [schema.get("items", {})])))
        return f"a list{f' of {len(items)}' if items else least}, each {each}"
    return _TYPES.get(str(kind), "any value")
