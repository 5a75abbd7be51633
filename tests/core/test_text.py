"""What a schema allows in English, and values as they are typed; the refusals of a config show the other types."""

from __future__ import annotations

import pytest

from gan_cli.core.text import describe, example, show


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, "a list, at least 2 and each true or false"),
        ({}, "another type of value"),
    ],
)
def test_schemas_in_english(schema, text):
    assert describe(schema) == text
    example(schema)


@pytest.mark.parametrize(("value", "text"), [("a\n\x1b[31mb", "a [31mb"), ("x" * 99, "x" * 77 + "...")])
def test_values_are_shown_as_typed(value, text):
    assert show(value) == text
