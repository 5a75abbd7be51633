"""Finds classes in source files without importing them, so that a config is checked before torch is loaded."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAX_HOPS = 20  # re-exports and base classes that are followed before giving up


class Module(NamedTuple):
    """A parsed source file."""

    name: str
    tree: ast.Module
    is_package: bool


class ClassSource(NamedTuple):
    """A class definition and the module it stands in."""

    module: Module
    node: ast.ClassDef

    @property
    def path(self) -> str:
        """The dotted name of the definition itself."""
        return f"{self.module.name}.{self.node.name}"


def find_class(target: str) -> ClassSource:
    """Return the class that a dotted name `module.Class` names, through re-exports inside one top-level package.

    Raises:
        LookupError: no such module, no such class, or a name that is not a plain class; the text says which.
    """
    module_name, _, name = target.rpartition(".")
    module = load(module_name) if module_name else None
    if module is None:
        parent = module_name.rpartition(".")[0]
        what = f"{module_name} is not a module" if parent and load(parent) else f"there is no module {module_name}"
        raise LookupError(f"{what}; a class is named as module.Class")
    for _ in range(MAX_HOPS):
        found = bindings(module, name)
        if len(found) > 1:
            raise LookupError(f"{module.name} binds {name} more than once")
        if not found:
            starred = next((m for m in star_imports(module) if bindings(m, name) or star_imports(m)), None)
            if starred is None:
                raise LookupError(f"{module.name} has no class {name}")
            module = starred
            continue
        node = found[0]
        if isinstance(node, ast.ClassDef):
            return ClassSource(module, node)
        source = imported_module(module, node, name)
        if source is None:
            raise LookupError(f"{module.name}.{name} is not a class of this package")
        module = source
    raise LookupError(f"{target} is re-exported in a circle")


def class_names(module_name: str) -> list[str]:
    """Return the names of the classes that a module defines or re-exports; [] where there is no such module."""
    module = load(module_name)
    if module is None:
        return []
    names = [s.name for s in module.tree.body if isinstance(s, ast.ClassDef)]
    for statement in module.tree.body:
        if isinstance(statement, ast.ImportFrom):
            names += [a.name for a in statement.names if a.asname in (None, a.name) and a.name[0].isupper()]
    return names


@functools.cache
def load(name: str) -> Module | None:
    """Return a module's parsed source without running it, or None where there is none."""
    path = _locate(name)
    if path is None:
        return None
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError) as error:
        raise LookupError(f"{path} cannot be read as Python: {error}") from error
    return Module(name, tree, path.name == "__init__.py")


def _locate(name: str) -> Path | None:
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)  # finds a top-level module without importing it
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest and spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin)
    for root in spec.submodule_search_locations or ():
        base = Path(root, *rest)
        for path in (base.with_name(base.name + ".py"), base / "__init__.py"):
            if rest and path.is_file():
                return path
    return None


def bindings(module: Module, name: str) -> list[ast.stmt]:
    """Return the module-level statements that bind a name."""
    return [s for s in _statements(module.tree.body) if name in _bound(s)]


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if not isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, inner, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {a.asname or a.name.split(".")[0] for a in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()


def imported_module(module: Module, node: ast.stmt, name: str) -> Module | None:
    """Return the module of the same top-level package that `from X import name` reads, or None."""
    if not isinstance(node, ast.ImportFrom):
        return None
    if any(a.asname == name != a.name for a in node.names):
        return None
    origin = import_origin(module, node)
    return load(origin) if origin.split(".")[0] == module.name.split(".")[0] else None


def import_origin(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that a `from X import ...` statement reads."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*parts, node.module] if node.module else parts)


def star_imports(module: Module) -> list[Module]:
    """Return the modules of the same top-level package that are imported with `*`."""
    statements = [s for s in module.tree.body if isinstance(s, ast.ImportFrom) and s.names[0].name == "*"]
    found = [
        load(o) for o in (import_origin(module, s) for s in statements) if o.split(".")[0] == module.name.split(".")[0]
    ]
    return [m for m in found if m is not None]
