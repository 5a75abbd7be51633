"""Turns annotations read from source into types that pydantic checks, without importing what they were written for."""

from __future__ import annotations

import ast
import collections.abc
import functools
import operator
import pathlib
import typing
from typing import Any

import annotated_types
import pydantic

from gan_cli.config.sources import MAX_HOPS, Module, bindings, imported_module

_BUILTINS: dict[str, Any] = {t.__name__: t for t in (int, float, str, bool, list, tuple, dict, object)} | {"None": None}
_BUILTINS["object"] = Any
_IMPORTED: dict[str, Any] = (
    {n: getattr(pydantic, n) for n in ("PositiveInt", "NonNegativeInt", "NegativeInt", "NonPositiveInt", "Field")}
    | {n: getattr(pydantic, n) for n in ("PositiveFloat", "NonNegativeFloat", "NegativeFloat", "NonPositiveFloat")}
    | {n: getattr(pydantic, n) for n in ("FiniteFloat", "StrictInt", "StrictFloat", "StrictBool", "StrictStr")}
    | {
        n: getattr(annotated_types, n)
        for n in ("Gt", "Ge", "Lt", "Le", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len")
    }
    | {n: getattr(typing, n) for n in ("List", "Tuple", "Dict", "Any")}
    | {n: getattr(collections.abc, n) for n in ("Sequence", "Iterable", "Mapping")}
    | {"Path": pathlib.Path}
)
NAMES = _BUILTINS | _IMPORTED


def to_type(node: ast.expr | None, module: Module, hops: int = 0) -> Any:
    """Return the type that an annotation means to a value from YAML.

    A name that is not from builtins, typing, pydantic or annotated_types (such as Tensor) means Any; in a union with
    others it is dropped, since YAML cannot hold such a value.

    Args:
        node: the annotation; None: there is none.
        module: where it stands; aliases assigned at its top are followed.
        hops: aliases followed so far.
    """
    if node is None or hops > MAX_HOPS:
        return Any
    if isinstance(node, ast.Constant):
        return _constant(node, module, hops)
    if isinstance(node, ast.Name):
        return NAMES[node.id] if node.id in NAMES else _alias(node.id, module, hops)
    if isinstance(node, ast.Attribute):
        return _IMPORTED.get(node.attr, Any)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([to_type(side, module, hops + 1) for side in (node.left, node.right)])
    if isinstance(node, ast.Subscript):
        return _subscript(node, module, hops)
    return Any


def _constant(node: ast.Constant, module: Module, hops: int) -> Any:
    if node.value is None or node.value is Ellipsis:
        return node.value
    if not isinstance(node.value, str):
        return Any
    try:
        return to_type(ast.parse(node.value, mode="eval").body, module, hops + 1)
    except SyntaxError:
        return Any


def _alias(name: str, module: Module, hops: int) -> Any:
    found = bindings(module, name)
    if len(found) != 1:
        return Any
    if isinstance(found[0], (ast.Assign, ast.AnnAssign)):
        return to_type(found[0].value, module, hops + 1)
    source = imported_module(module, found[0], name)
    return _alias(name, source, hops + 1) if source is not None and hops < MAX_HOPS else Any


def _union(members: list[Any]) -> Any:
    known = [m for m in members if m is not Any]
    if all(m is None for m in known):
        return Any
    return functools.reduce(operator.or_, known)


def _subscript(node: ast.Subscript, module: Module, hops: int) -> Any:
    name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        try:
            return typing.Literal[tuple(ast.literal_eval(item) for item in items)]
        except ValueError:
            return Any
    if name == "Annotated":
        return _annotated(items, module, hops)
    types = [to_type(item, module, hops + 1) for item in items]
    if name == "Optional":
        return _union([*types, None])
    if name == "Union":
        return _union(types)
    if name in ("Final", "Required", "NotRequired"):
        return types[0]
    container = NAMES.get(name)
    try:
        return container[tuple(types) if len(types) > 1 else types[0]] if container is not None else Any
    except TypeError:
        return Any


def _annotated(items: list[ast.expr], module: Module, hops: int) -> Any:
    inner = to_type(items[0], module, hops + 1)
    for item in items[1:]:
        try:
            code = compile(ast.Expression(item), module.name, "eval")
            inner = typing.Annotated[inner, eval(code, {"__builtins__": {}}, NAMES)]
        except Exception:  # metadata for someone else, written with names that are unknown here
            continue
    return inner
