"""Checks the arguments of a part against its class's signature, and builds it."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import typing
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from gan_cli.config.schema import Config, ConfigType, Part
from gan_cli.config.schema_errors import explained
from gan_cli.config.targets import MOVED, check_target, is_allowed
from gan_cli.core.text import described, did_you_mean
from gan_cli.errors import UserError

T = TypeVar("T")
_signature = functools.cache(inspect.signature)
GIVEN = "gan_cli.models.given.Given"  # stands for a network that Python gives
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def check(config: ConfigType, allow_targets: Sequence[str] = (), typed: Sequence[str] = ()) -> ConfigType:
    """Return a config whose parts have been checked against the classes that they name; these are imported.

    Args:
        config: of any command.
        allow_targets: module prefixes that the command line permits.
        typed: the keys of the command line. Where they replace the class of an option (`model.critic._target_`), what
            the option says of its own class, and the new one does not take, goes.

    Raises:
        UserError: a class outside the permitted modules or not found; an argument that is unknown, or of a wrong type
            or range.
    """
    found = {key: Part.of(MOVED.get(part.target, part.target), part.arguments) for key, part in parts_of(config)}
    for key, part in found.items():
        check_target(key, part.target, allow_targets)
    for key, part in found.items():  # all are permitted: from here on they are imported
        config = _with(config, key.split("."), _checked(key, part, allow_targets, typed))
    return config


def parts_of(config: Config, prefix: str = "") -> Iterator[tuple[str, Part]]:
    """Yield a config's parts with their dotted keys."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Part):
            yield prefix + name, value
        elif isinstance(value, Config):
            yield from parts_of(value, f"{prefix}{name}.")


def with_defaults(config: ConfigType) -> ConfigType:
    """Return a config whose parts of gan_cli have every argument, those left out with their class's defaults."""
    for key, part in parts_of(config):
        if part.target.startswith("gan_cli."):
            known = _parameters(class_of(part, key))[0].values()
            defaults = {p.name: p.default for p in known if p.default is not p.empty}
            config = _with(config, key.split("."), part.replace(**{**defaults, **part.arguments}))
    return config


def own_code(config: Config) -> bool:
    """Return whether a part is of code outside gan_cli and torch."""
    return any(is_own(part) for _, part in parts_of(config))


def is_own(part: Part) -> bool:
    """Return whether a part is of code outside gan_cli and torch, or an object of Python in its place."""
    return part.target == GIVEN or not part.target.startswith(("gan_cli.", "torch."))


def class_of(part: Part, key: str) -> type:
    """Return the class that a checked part names.

    Raises:
        UserError: there is none.
    """
    module_name, _, name = part.target.rpartition(".")
    where = f"{key}._target_={part.target}"
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        is_absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        raise UserError(f"{where}: {error}{'; a class is named as module.Class' * is_absent}") from error
    except Exception as error:
        raise UserError(f"{where}: {described(error)}") from error
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        classes = [n for n, value in vars(module).items() if inspect.isclass(value) and n != name]
        raise UserError(f"{where}: {module_name} has no class {name}{did_you_mean(name, classes)}")
    return found


def takes(part: Part, key: str, name: str) -> bool:
    """Return whether a part's class takes an argument of this name."""
    parameters, is_open = _parameters(class_of(part, key))
    return is_open or name in parameters


def build(part: Part, key: str, role: type[T], **given: Any) -> T:
    """Construct a checked part.

    Args:
        part: its class and arguments.
        key: where it stands in the config, for errors.
        role: what its class must be.
        **given: arguments that no config has.

    Raises:
        UserError: another kind of class, arguments that it lacks or does not take, or a value that it refuses.
    """
    cls = class_of(part, key)
    if not issubclass(cls, role):
        raise UserError(f"{key}._target_={part.target}: not a {role.__name__}")
    if inspect.isabstract(cls):
        lacking = ", ".join(sorted(cls.__abstractmethods__))
        raise UserError(f"{key}._target_={part.target}: the class lacks the methods it must have: {lacking}")
    try:
        _signature(cls).bind(**part.arguments, **given)
    except TypeError as error:
        reason = str(error).removeprefix("inspect.Signature.bind() ")
        raise UserError(f"{key} ({cls.__name__}): {reason}") from error
    try:
        return cls(**part.arguments, **given)
    except ValueError as error:
        raise UserError(f"{key} ({cls.__name__}): {error}") from error
    except Exception as error:
        if not is_own(part):
            raise
        raise UserError(f"{key} ({part.target}): {described(error)}") from error


def _with(config: ConfigType, path: list[str], part: Part) -> ConfigType:
    name, *rest = path
    return config.replace(**{name: _with(getattr(config, name), rest, part) if rest else part})


def _checked(key: str, part: Part, allow_targets: Sequence[str], typed: Sequence[str]) -> Part:
    cls = class_of(part, key)
    home = f"{cls.__module__}.{cls.__qualname__}"
    if not is_allowed(home, allow_targets):  # imported into an allowed module from elsewhere
        raise UserError(f"{key}._target_={part.target}: it is {home}, outside the permitted modules")
    parameters, is_open = _parameters(cls)
    if f"{key}._target_" in typed and not is_open:
        own = {word.removeprefix(f"{key}.").partition(".")[0] for word in typed if word.startswith(f"{key}.")}
        kept = {name: value for name, value in part.arguments.items() if name in parameters or name in own}
        part = Part.of(part.target, kept)
    adapter = _adapter(cls)
    try:
        checked = adapter.validate_json(json.dumps(part.arguments))
    except ValidationError as error:
        raise explained(error, adapter.json_schema(), part.arguments, key) from error
    return Part.of(part.target, adapter.dump_python(checked, mode="json"))


@functools.cache
def _parameters(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return a class's keyword arguments by name, types as its source has them, and whether it takes others too.

    `**kwargs` stands for what the next class in the method resolution order takes.
    """
    found: dict[str, inspect.Parameter] = {}
    is_open = False
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object or base.__module__ == "torch.nn.modules.module":
            continue
        try:
            hints = typing.get_type_hints(base.__init__, include_extras=True)
        except Exception:  # a name that is imported for type checkers alone: there is no type to check against
            hints = {}
        is_open = False
        for parameter in list(inspect.signature(base.__init__).parameters.values())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                is_open = True
            elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, parameter.replace(annotation=hints.get(parameter.name, Any)))
        if not is_open:
            break
    return found, is_open


@functools.cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    """Return what checks a class's keyword arguments: strict, as JSON, without infinities or NaN."""
    parameters, is_open = _parameters(cls)
    kinds = TypedDict("kinds", {name: _kind(parameter) for name, parameter in parameters.items()}, total=False)
    kinds.__pydantic_config__ = _STRICT | {"extra": "allow" if is_open else "forbid"}
    return TypeAdapter(kinds)


def _kind(parameter: inspect.Parameter) -> Any:
    """Return the type that a value from YAML must have; what YAML cannot hold, such as a Tensor, is left out."""
    kind, default = _plain_type(parameter.annotation), parameter.default
    return Annotated[kind, Field(examples=[default])] if isinstance(default, (bool, int, float, str)) else kind


def _plain_type(annotation: Any) -> Any:
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, UnionType):
        known = [kind for kind in map(_plain_type, members) if kind is not Any]
        return typing.Union[tuple(known)] if set(known) - {type(None)} else Any  # noqa: UP007
    if origin is tuple and Ellipsis not in members:
        return tuple[tuple(map(_plain_type, members))]
    try:
        TypeAdapter(annotation, config=_STRICT).json_schema()
    except Exception:  # pydantic knows no such type
        return Any
    return annotation
