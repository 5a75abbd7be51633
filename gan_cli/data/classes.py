"""The one rule by which a user names a class: by its name, or by its number where no class has a number as its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError

_SHOWN = 20  # classes that an error lists


def class_number(wanted: int | str, names: Sequence[str], shown: str) -> int:
    """Return the number of a class, from 0.

    Args:
        wanted: its name, in any case of its letters if that is unique; or its number.
        names: of all classes, in their order.
        shown: what asks for it, `dataset.classes=[cats]`, for the error.

    Raises:
        UserError: there is no such class; a number is none where classes have numbers as their names.
    """
    text, folded = str(wanted), [name.casefold() for name in names]
    if text in names:
        return list(names).index(text)
    if folded.count(text.casefold()) == 1:
        return folded.index(text.casefold())
    numbered = not any(map(is_number, names))
    if numbered and text.isdecimal() and int(text) < len(names):
        return int(text)
    known = ", ".join(f"{i} {name}" if numbered else name for i, name in enumerate(names[:_SHOWN]))
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    if not numbered:
        more += " (names alone, since some of them are numbers)"
    hint = (not is_number(text) and did_you_mean(text, names)) or ";"
    raise UserError(f"{shown}: there is no class {wanted}{hint} classes: {known}{more}")


def is_number(name: str) -> bool:
    """Return whether the name of a class is a whole number."""
    return re.fullmatch(r"[+-]?\d+", name) is not None
