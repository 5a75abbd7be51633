"""What arguments a class takes, read from its source and never by importing it."""

from __future__ import annotations

import ast
import dataclasses
import typing
from collections.abc import Sequence
from typing import Any

import annotated_types

from gan_cli.config.annotations import to_type
from gan_cli.config.sources import MAX_HOPS, ClassSource, Module, bindings, find_class, import_origin
from gan_cli.config.targets import is_allowed

_PLAIN_BASES = frozenset(
    {"object", "ABC", "Protocol", "Generic", "Module"}
)  # their __init__ takes no arguments of YAML

_UNIT = (annotated_types.Ge(0), annotated_types.Lt(1))
# torch.optim annotates types but checks ranges only when an optimizer is built.
_OPTIMIZER_RANGES: dict[str, tuple[Any, ...]] = {
    "lr": (annotated_types.Gt(0), annotated_types.Le(3e38)),
    "eps": (annotated_types.Gt(0),),
    "alpha": _UNIT,
    "momentum": _UNIT,
    "rho": _UNIT,
    "weight_decay": (annotated_types.Ge(0),),
    "lr_decay": (annotated_types.Ge(0),),
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """An argument of a class, as its source tells it.

    Attributes:
        name: the argument's name.
        required: it has no default.
        default: the default where it is a literal, else None.
        annotation: the annotation's source, evaluated by `type` alone: aliases may lie in large files.
        module: where the annotation stands.
    """

    name: str
    required: bool
    default: Any
    annotation: ast.expr | None
    module: Module

    @property
    def type(self) -> Any:
        """What a YAML value must be; Any where the source does not say."""
        found = to_type(self.annotation, self.module)
        return _ranged(self.name, found) if self.module.name.startswith("torch.optim.") else found


@dataclasses.dataclass(frozen=True)
class Signature:
    """The arguments of a class by name; `open`: it takes others too (`**kwargs`)."""

    parameters: dict[str, Parameter]
    open: bool = False


def read_signature(target: str, allow_targets: Sequence[str] = ()) -> Signature:
    """Return the arguments of the class that a dotted name names.

    Raises:
        LookupError: no such class, or one that is re-exported from outside the allowed modules.
    """
    source = find_class(target)
    if not is_allowed(source.path, allow_targets):
        raise LookupError(f"it is {source.path}, outside the allowed modules")
    return _signature(source)


def _ranged(name: str, expected: Any) -> Any:
    if name == "betas" and typing.get_origin(expected) is tuple:
        unit = typing.Annotated[float, annotated_types.Ge(0), annotated_types.Lt(1)]
        return tuple[tuple(unit for _ in typing.get_args(expected))]
    for limit in _OPTIMIZER_RANGES.get(name, ()):
        expected = typing.Annotated[expected, limit]
    return expected


def _signature(source: ClassSource, hops: int = 0) -> Signature:
    if _is_dataclass(source.node):
        return _dataclass_signature(source, hops)
    for statement in source.node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            own = _function_signature(statement, source.module)
            return _merge(_base_signature(source, hops), own) if own.open else own
    return _base_signature(source, hops)


def _merge(base: Signature, own: Signature) -> Signature:
    return Signature(base.parameters | own.parameters, base.open)


def _base_signature(source: ClassSource, hops: int) -> Signature:
    for base in source.node.bases:
        found = _base_class(base, source.module)
        if found is not None and hops < MAX_HOPS:
            return _signature(found, hops + 1)
    return Signature({})


def _base_class(node: ast.expr, module: Module) -> ClassSource | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    path = ast.unparse(node).split(".")
    if path[-1] in _PLAIN_BASES:
        return None
    found = bindings(module, path[0])
    if len(found) != 1:
        return None
    statement = found[0]
    if isinstance(statement, ast.ClassDef):
        return ClassSource(module, statement) if len(path) == 1 else None
    if isinstance(statement, ast.ImportFrom):
        original = next(a.name for a in statement.names if (a.asname or a.name) == path[0])
        path = [import_origin(module, statement), original, *path[1:]]
    elif isinstance(statement, ast.Import):
        original = next((a.name for a in statement.names if a.asname == path[0]), path[0])
        path = [original, *path[1:]]
    try:
        return find_class(".".join(path))
    except LookupError:
        return None


def _function_signature(node: ast.FunctionDef, module: Module) -> Signature:
    args = node.args
    positional = args.args[1:] if not args.posonlyargs else args.args
    defaults: list[ast.expr | None] = [None] * len(positional) + list(args.defaults)
    pairs = list(zip(positional, defaults[-len(positional) :] if positional else [], strict=True))
    pairs += list(zip(args.kwonlyargs, args.kw_defaults, strict=True))
    parameters = {a.arg: _parameter(a.arg, a.annotation, default, module) for a, default in pairs}
    return Signature(parameters, args.kwarg is not None)


def _parameter(name: str, annotation: ast.expr | None, default: ast.expr | None, module: Module) -> Parameter:
    try:
        literal = None if default is None else ast.literal_eval(default)
    except ValueError:
        literal = None
    return Parameter(name, default is None, literal, annotation, module)


def _is_dataclass(node: ast.ClassDef) -> bool:
    names = [ast.unparse(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list]
    has_init = any(isinstance(s, ast.FunctionDef) and s.name == "__init__" for s in node.body)
    return not has_init and any(name.rpartition(".")[2] == "dataclass" for name in names)


def _dataclass_signature(source: ClassSource, hops: int) -> Signature:
    parameters = dict(_base_signature(source, hops).parameters)
    for statement in source.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            default, is_argument = _field(statement)
            if is_argument:
                name = statement.target.id
                parameters[name] = _parameter(name, statement.annotation, default, source.module)
    return Signature(parameters)


def _field(statement: ast.AnnAssign) -> tuple[ast.expr | None, bool]:
    value = statement.value
    if "ClassVar" in ast.unparse(statement.annotation):
        return value, False
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "field"):
        return value, True
    options = {k.arg: k.value for k in value.keywords}
    is_argument = "init" not in options or ast.unparse(options["init"]) != "False"
    return options.get("default", options.get("default_factory")), is_argument
