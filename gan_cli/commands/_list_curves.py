"""The table of `gan list curves`: the meaning of each curve, and the options that log it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_cli.config.tree import option_file, options
from gan_cli.core import curves
from gan_cli.core.curves import Curve, Declarations
from gan_cli.core.text import columns

_GROUPS = {
    "loss": "losses",
    "constraint": "constraints",
    "condition": "conditions",
    "task": "tasks",
    "input": "inputs",
}  # group -> folder of its classes
_LOGGED_BY = {"training": "every run", "metrics": "evaluation", "analysis": "evaluation"}  # by folder
_ORDER = ("critic", "generator", "quality", "distance", "optimizer", "speed")


class Row(NamedTuple):
    """A curve, and the options or the command that log it."""

    curve: Curve
    logged_by: str


def rows(*directories: Path) -> list[Row]:
    """Return every curve that the package declares.

    Args:
        directories: directories of the config tree with the options.
    """
    logged_by: dict[Curve, list[str]] = {curve: [] for curve in curves.declared()}
    for path, declarations in curves.sources().items():
        for curve in declarations.get("", ([], set()))[0]:
            logged_by[curve].append(_LOGGED_BY.get(path.parts[0], path.parts[0]))
    for group, folder in _GROUPS.items():
        classes: Declarations = {}
        for path in sorted((curves.PACKAGE / folder).glob("*.py")):
            classes |= curves.declarations(path.read_text(encoding="utf-8"))
        chosen: dict[Curve, list[str]] = {}
        for option in options(group, *directories):
            for curve in _of_class(_class_of(group, option, directories), classes):
                chosen.setdefault(curve, []).append(option)
        for curve, names in chosen.items():
            logged_by[curve].append(f"{group}={','.join(names)}")
    found = [Row(curve, " ".join(names) or "no option") for curve, names in logged_by.items()]
    return sorted(found, key=lambda row: _place(row.curve))


def table(*directories: Path) -> str:
    """Return the curves as lines of text; arguments as for `rows`."""
    found = [("tag", "unit", "better", "meaning (logged by)")]
    found += [(*row.curve[:3], f"{row.curve.meaning} ({row.logged_by})") for row in rows(*directories)]
    return "\n".join(columns(found))


def _place(curve: Curve) -> int:
    kind = curve.tag.partition("/")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _class_of(group: str, option: str, directories: Sequence[Path]) -> str:
    """Return the name of the class that an option builds; '' if the class is not from this package."""
    text = option_file(group, option, directories).read_text(encoding="utf-8")
    target = re.search(rf"^ *_target_: gan_cli\.{_GROUPS[group]}\.\w+\.(\w+)", text, re.MULTILINE)
    return target[1] if target else ""


def _of_class(name: str, classes: Declarations) -> list[Curve]:
    """Return the curves that a class declares, and those of the classes from which it takes curves."""
    own, others = classes.get(name, ([], set())) if name else ([], set())
    return list(dict.fromkeys([*own, *(curve for other in sorted(others) for curve in _of_class(other, classes))]))
