"""The text of errors: values as a user types them, close matches, and what a JSON schema allows in English."""

from __future__ import annotations

import difflib
import json
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gan_cli.errors import UserError

MAX_SHOWN = 80
# A mistake in a user's code shows in these files too, and is not there.
_INSTALLED = (*dict.fromkeys(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")), "<frozen")


def one_line(text: object) -> str:
    """Return the text with every run of white space and unprintable characters as one space."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def told(error: BaseException) -> str:
    """Return an error of a user's own code in one line: its type, its text, and the place in that code."""
    text = one_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    places = [
        f"{frame.f_code.co_filename}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_globals.get("__name__", "").startswith("gan_cli.")
        and not frame.f_code.co_filename.startswith(_INSTALLED)
    ]
    return f"{text} ({places[-1]})" if places else text


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def show(value: Any) -> str:
    """Return a value as it is typed in an override: null, true, 5e-05, [0.5, 0.9]; cut where long."""
    plain = isinstance(value, (str, float))
    text = str(value) if plain else json.dumps(value, default=str).replace('"', "")
    text = one_line(text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def did_you_mean(word: str, known: Iterable[str], prefix: str = "", suffix: str = "") -> str:
    """Return '; did you mean X?' for the closest known word, with what stands before and after it, or ''."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{close[0]}{suffix}?" if close else ""


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


def describe(schema: dict[str, Any]) -> str:
    """Return in English what a JSON schema allows: 'a whole number of at least 1'."""
    if "description" in schema:
        return schema["description"]
    if {"anyOf", "enum", "const"} & schema.keys():
        return _join(list(_alternatives(schema)))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "array":
        return _array(schema)
    names = {"string": "text", "boolean": "true or false", "null": "null", "object": "a mapping of keys to values"}
    return names.get(str(kind), "another type of value")


def example(schema: dict[str, Any]) -> Any:
    """Return a value that a JSON schema allows."""
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return next((example(s) for s in schema["anyOf"] if s.get("type") != "null"), None)
    kind = schema.get("type")
    if kind == "integer":
        return schema["minimum"] if "minimum" in schema else int(schema.get("exclusiveMinimum", 0)) + 1
    if kind == "number":
        return _example_number(schema)
    if kind == "array":
        return [example(s) for s in schema.get("prefixItems", [schema.get("items", {})])]
    return {"boolean": True, "string": "text", "null": None}.get(str(kind), "VALUE")


def _alternatives(schema: dict[str, Any]) -> Iterator[str]:
    if "anyOf" in schema and "description" not in schema:
        for inner in schema["anyOf"]:
            yield from _alternatives(inner)
    elif {"enum", "const"} & schema.keys() and "description" not in schema:
        yield from (show(v) for v in schema.get("enum", [schema.get("const")]))
    else:
        yield describe(schema)


def _join(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _number(schema: dict[str, Any], whole: bool) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if whole and above is not None:
        low, above = above + 1, None
    text = "a whole number" if whole else "a number"
    limits = [
        f"of at least {low:g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"at most {high}" if high is not None else f"below {below:g}" if below is not None else "",
    ]
    limits = [limit for limit in limits if limit]
    return " ".join([text, " and ".join(limits)]) if limits else text


def _example_number(schema: dict[str, Any]) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return (low + high) / 2
    return 1.0 if low is None else low + 1.0


def _array(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        items = [describe(s) for s in schema["prefixItems"]]
        each = items[0] if len(set(items)) == 1 else ", ".join(items)
        return f"a list of {len(items)}, each {each}" if len(set(items)) == 1 else f"a list of {each}"
    if schema.get("items"):
        least = f" at least {schema['minItems']} and" if schema.get("minItems") else ""
        return f"a list,{least} each {describe(schema['items'])}"
    return "a list"
