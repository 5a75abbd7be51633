"""Values as they are typed."""

from __future__ import annotations

import pytest

from gan_cli.core.text import show


@pytest.mark.parametrize(
    ("value", "text"), [("a\n\x1b[31mb", "a [31mb"), ("x" * 99, "x" * 77 + "..."), ([None], "[null]")]
)
def test_values_are_shown_as_typed(value, text):
    assert show(value) == text
