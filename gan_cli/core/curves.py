"""What curves mean, which of them estimate a divergence, and the names of what is derived from an estimate.

Curves are declared beside the code that computes them, as `Curve(...)` with literal arguments: in the attribute
`logged` of a loss, a constraint, a condition, a task or an input, and in the tuple `CURVES` of a module of training,
metrics or analysis.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
FALLBACK = "critic/loss"  # the curve of a run whose loss estimates nothing
OBJECTIVES = (FALLBACK, "generator/loss")  # the second where no critic is trained
OF_THE_CRITIC = frozenset(
    {"score", "score/distance", "objective", "energy", "critic features", "critic features^2", "critic kernel"}
)
_ESTIMATE = re.compile(r"critic/\w+_(estimate|bound)")
_FOLDERS = (
    "training",
    "losses",
    "constraints",
    "conditions",
    "tasks",
    "inputs",
    "metrics",
    "analysis",
)  # where curves are declared


class Curve(NamedTuple):
    """A curve, or a family of curves.

    Attributes:
        tag: under which it is logged; <word> stands for any name, and what is in brackets may be missing.
        unit: of its values; those in OF_THE_CRITIC depend on the critic, so that they differ between critics of
            different Lipschitz constants.
        better: the direction in which samples, or the speed, are better.
        meaning: one line.
        role: `maximised`: the critic makes the value as large as it can, as it does with every estimate; `progress`: of
            all values of a loss that estimates no distance, this one says most about a run.
        chart: category and title of its chart in TensorBoard; None: none of its own.
    """

    tag: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    meaning: str
    role: Literal["maximised", "progress"] | None = None
    chart: tuple[str, str] | None = None

    @property
    def pattern(self) -> str:
        """Return the regular expression of the tags."""
        return re.sub(r"<\w+>", r"\\w+", self.tag.replace("[", "(").replace("]", ")?"))


Declarations = dict[str, tuple[list[Curve], set[str]]]  # by class name, '' outside of classes; see `sources`


def is_estimate(tag: str) -> bool:
    """Return whether a curve is the critic's estimate of a divergence, or a bound of one; it has a held-out twin."""
    return _ESTIMATE.fullmatch(tag) is not None


def heldout_tag(tag: str) -> str:
    """Return the tag of an estimate on held-out samples."""
    return f"{tag.rpartition('_')[0]}_heldout"


def normalised_tag(tag: str) -> str:
    """Return the tag of an estimate divided by the critic's Lipschitz constant, also for the tag of its twin."""
    return f"{tag.rpartition('_')[0]}_normalised"


def find(tag: str, further: Iterable[Curve] = ()) -> Curve | None:
    """Return the declaration of a curve; None where there is none.

    Args:
        tag: of a row.
        further: declarations that are looked at first, such as those of a user's own loss.
    """
    return next((curve for curve in (*further, *declared()) if re.fullmatch(curve.pattern, tag)), None)


def better(tag: str) -> Literal["higher", "lower", "neither"]:
    """Return the direction in which a curve is better; an undeclared estimate is better where it is lower."""
    curve = find(tag)
    return curve.better if curve else "lower" if is_estimate(tag) else "neither"


def depends_on_critic(tag: str) -> bool:
    """Return whether a curve's unit is one in OF_THE_CRITIC."""
    curve = find(tag)
    return curve is not None and curve.unit in OF_THE_CRITIC


def is_maximised(tag: str, further: Iterable[Curve] = ()) -> bool:
    """Return whether a curve is what the critic makes as large as it can; `further` as for `find`."""
    curve = find(tag, further)
    return is_estimate(tag) or (curve is not None and curve.role == "maximised")


@functools.cache
def declared() -> tuple[Curve, ...]:
    """Return every curve that the package declares, each once.

    Declarations are read from the source files: to import the modules would import torch, which takes seconds.
    """
    found = [curve for source in sources().values() for curves, _ in source.values() for curve in curves]
    return tuple(dict.fromkeys(found))


@functools.cache
def sources() -> dict[Path, Declarations]:
    """Return what each file of the package declares that declares curves, by its path below the package.

    Returns:
        path -> class name, '' outside of classes -> its own curves, and the classes whose curves it logs too.
    """
    found = {}
    for path in (path for folder in _FOLDERS for path in sorted((PACKAGE / folder).glob("*.py"))):
        text = path.read_text(encoding="utf-8")
        if "Curve(" in text:
            found[path.relative_to(PACKAGE)] = declarations(text)
    return found


def declarations(source: str) -> Declarations:
    """Return what a module declares, by class; see `sources`."""
    found: Declarations = {}
    for statement in ast.parse(source).body:
        is_class = isinstance(statement, ast.ClassDef)
        curves, others = found.setdefault(statement.name if is_class else "", ([], set()))
        if is_class:
            others |= {ast.unparse(base).rpartition(".")[2] for base in statement.bases}
        inside = statement.body if is_class else [statement]
        values = [one.value for one in inside if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value]
        for node in (node for value in values for node in ast.walk(value)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Curve.__name__:
                given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
                curves.append(Curve(*map(ast.literal_eval, node.args), **given))
            elif isinstance(node, ast.Attribute) and node.attr == "logged" and isinstance(node.value, ast.Name):
                others.add(node.value.id)
    return found
