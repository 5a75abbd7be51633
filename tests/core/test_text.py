"""What a schema allows in English, and values as they are typed."""

from __future__ import annotations

import pytest

from gan_cli.core.text import describe, example, show


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "a whole number of at least 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number of at least 0 and below 1"),
        ({"anyOf": [{"const": "auto"}, {"type": "null"}]}, "auto or null"),
        ({"enum": ["a", "b", "c"]}, "a, b or c"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, "a list, at least 2 and each true or false"),
        ({}, "another type of value"),
    ],
)
def test_schemas_in_english(schema, text):
    assert describe(schema) == text
    example(schema)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([0.5, "a"], "[0.5, a]"),
        ("a\n\x1b[31mb", "a [31mb"),
        ("x" * 99, "x" * 77 + "..."),
    ],
)
def test_values_are_shown_as_typed(value, text):
    assert show(value) == text
