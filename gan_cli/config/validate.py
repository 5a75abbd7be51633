"""Checks a command's config, all of it, before torch is imported: keys, types, ranges, and the classes it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import ValidationError

from gan_cli.config.blocks import check_block, missing, unknown_key, wrong_value
from gan_cli.config.identity import check_request
from gan_cli.config.references import check_size, reason_against
from gan_cli.config.schema import BLOCKS_OF, SCHEMAS, SUITABLE, Block, Evaluate, Model, Optimizer, Runtime, Strict
from gan_cli.config.targets import check_prefixes
from gan_cli.core.extras import require_trackers
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_BITS = 40  # of a whole number that is no seed: larger than any size, and no product of a few overflows unseen
_SEED_BITS = 64
_BLOCKS = frozenset(key for blocks in BLOCKS_OF.values() for key in blocks)
_PLACES = ("run", "run_dir", "out")  # where files are written


def validate(cfg: DictConfig, overrides: Sequence[str], command: str = "train") -> dict[str, Any]:
    """Return the settings that a composed config means: plain values, every interpolation resolved.

    Args:
        cfg: as Hydra composed it; its `hydra` block is left out.
        overrides: the command line's, the only place that `allow_targets` is read from.
        command: one of `schema.SCHEMAS`.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    prefixes = _command_line_prefixes(overrides)
    try:
        config = _plain(cfg, command)
        found = config.get("allow_targets", [])
        if found != prefixes:
            raise UserError(
                f"allow_targets={show(found)}: taken from the command line alone, since a config must not choose what "
                f"code runs; if you trust it, add allow_targets={show(found)} there"
            )
        _refuse_places(config, overrides)
        settings = check_settings(command, config, prefixes)
    except RecursionError as error:
        raise UserError("the config is nested too deeply, or refers to itself") from error
    if command == "train":
        check_request(settings)
        require_trackers(settings["log"]["to"])
        _refuse_idle(settings)
    return settings


def _refuse_idle(settings: dict[str, Any]) -> None:
    """Refuse to take what an evaluation is made of where none is asked for."""
    asked = settings["evaluate"]
    if asked["every_steps"]:
        return
    given = [f"evaluate.{key}={show(value)}" for key, value in asked.items() if value != getattr(Evaluate(), key)]
    if settings["extractor"] != SUITABLE:
        given.append(f"extractor ({settings['extractor']['_target_'].rpartition('.')[2]})")
    if given:
        raise UserError(f"{given[0]}: evaluate.every_steps=0 evaluates nothing; add evaluate.every_steps=500")


def check_settings(command: str, config: dict[str, Any], allow_targets: Sequence[str] = ()) -> dict[str, Any]:
    """Return a command's plain config with every key, type and range checked.

    Args:
        command: one of SCHEMAS.
        config: plain values, no interpolations.
        allow_targets: module prefixes of classes that the command line opted in to.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    schema = SCHEMAS[command]
    _refuse_unprintable(config)
    try:
        settings = schema.model_validate_json(json.dumps(config, default=str)).model_dump(mode="json")
    except ValidationError as error:
        raise _first_error(error, schema, config) from error
    if command == "train":
        settings.pop("sweep")  # about the command: each run of a sweep is a run like any other
    for key, supplied in BLOCKS_OF.get(command, {}).items():
        parent, _, name = key.rpartition(".")
        holder = settings[parent] if parent else settings
        holder[name] = check_block(key, holder[name], allow_targets, supplied)
    return settings


def validate_saved(config: Any, allow_targets: Sequence[str] = ()) -> dict[str, Any]:
    """Return the settings that a run directory's config.yaml holds, checked as if they were typed anew.

    Args:
        config: the file, read by `yaml.safe_load`.
        allow_targets: module prefixes that *this* command line opted in to; those in the file are ignored.

    Raises:
        UserError: not such a config, an interpolation, or anything that `gan train` would refuse.
    """
    if not isinstance(config, dict):
        raise UserError(f"config.yaml holds {show(config)}, not the settings of a run")
    try:
        _refuse_interpolations(config)
        return check_settings("train", {**config, "allow_targets": check_prefixes(list(allow_targets))}, allow_targets)
    except RecursionError as error:
        raise UserError("config.yaml is nested too deeply to be the settings of a run") from error


def _refuse_places(config: dict[str, Any], overrides: Sequence[str]) -> None:
    for key in _PLACES:
        if config.get(key) is not None and not any(o.lstrip("+").partition("=")[0] == key for o in overrides):
            raise UserError(
                f"{key}={show(config[key])}: taken from the command line alone, since a config must not choose where "
                f"files are written; if that is the place, add {key}={show(config[key])} there"
            )


def _refuse_unprintable(config: dict[str, Any]) -> None:
    """Refuse what neither an error nor a file can show: schemas tell every other wrong value."""
    rest: list[tuple[str, Any]] = [("", config)]
    while rest:
        key, value = rest.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        rest += [(f"{key}.{name}" if key else str(name), inner) for name, inner in items]
        texts = [value, *value] if isinstance(value, dict) else [value]
        if any(isinstance(text, str) and ("\0" in text or (not text.isascii() and _lone(text))) for text in texts):
            raise UserError(f"{key}: holds a character that is not text")
        if isinstance(value, int) and value.bit_length() > (_SEED_BITS if key.endswith("seed") else _BITS):
            raise UserError(f"{key}: a whole number of {value.bit_length()} bits; must be a smaller one")


def _lone(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def _command_line_prefixes(overrides: Sequence[str]) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    given = [o for o in overrides if o.lstrip("+").partition("=")[0] == "allow_targets"]
    parsed = OverridesParser.create().parse_overrides(given)
    return check_prefixes(parsed[-1].value()) if parsed else []


def _plain(cfg: DictConfig, command: str) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    raw = OmegaConf.to_container(cfg, resolve=False, enum_to_str=True)
    if not isinstance(raw, dict):
        raise UserError(f"the config is {show(raw)}; it must be a mapping of keys to values")
    raw.pop("hydra", None)
    interpolated = False
    for key, text in _texts(raw):
        if text == "???":
            raise _not_given(key, command)
        if reason := reason_against(text):
            raise UserError(f"{key}={show(text)}: {reason}")
        interpolated = interpolated or "${" in text
    if not interpolated:
        return raw
    try:
        check_size(raw)
    except ValueError as error:
        raise UserError(f"the config cannot be resolved: {error}") from error
    try:
        return OmegaConf.to_container(OmegaConf.create(raw), resolve=True)
    except OmegaConfBaseException as error:
        key = error.full_key or "config"
        text = next((t for k, t in _texts(raw) if k == key), "")
        reason = one_line(str(error.msg or error).splitlines()[0])
        raise UserError(f"{key}={show(text)}: {reason}; give a value or a key that exists") from error


def _not_given(key: str, command: str) -> UserError:
    if key == "run":
        return UserError(f"no run is named; write gan {command} RUN, such as gan {command} runs/NAME")
    return UserError(f"{key}: no value is given; add {key}=VALUE")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _texts(inner, f"{key}.{name}" if key else str(name))


def _refuse_interpolations(config: dict[str, Any]) -> None:
    for key, text in _texts(config):
        if "${" in key or "${" in text:
            raise UserError(f"{key}={show(text)}: a saved config holds values, not interpolations")


def _first_error(error: ValidationError, schema: type[Strict], config: dict[str, Any]) -> UserError:
    found = error.errors(include_url=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    return _explain(first["type"], first["loc"], schema, config)


def _explain(kind: str, loc: tuple[Any, ...], schema: type[Strict], config: dict[str, Any]) -> UserError:
    """Walk down the models as far as `loc` leads; what lies below (a union's member, a list's index) is one value."""
    value: Any = config
    for depth, name in enumerate(loc):
        key = ".".join(str(part) for part in loc[: depth + 1])
        field = schema.model_fields.get(str(name))
        inner = _model(field.annotation) if field is not None else None
        given = isinstance(value, dict) and name in value
        value = value.get(name) if isinstance(value, dict) else value
        if field is None:
            return unknown_key(key, value, schema.model_fields)
        if inner is not None and given and depth + 1 < len(loc):
            schema = inner
        elif (key in _BLOCKS and "." not in key and not given) or inner in (Model, Optimizer, Runtime):
            return UserError(f"no {key} is chosen; add {key}=OPTION (`gan list {key}` shows them)")
        elif inner is not None:
            return UserError(f"{key}={show(value)}: holds the keys {', '.join(inner.model_fields)}; set those it needs")
        elif kind == "missing":
            return missing(key, _property(schema, str(name)))
        else:
            return wrong_value(key, value, _property(schema, str(name)))
    return UserError(f"the config is {show(config)}; it must be a mapping of keys to values")


def check_override(command: str, key: str, value: Any) -> None:
    """Check a key and its new value as far as that can be done without the rest of the config.

    Args:
        command: one of `schema.SCHEMAS`.
        key: dotted.
        value: plain; text with an interpolation, and what a class's block holds, are left for later.

    Raises:
        UserError: a key that no option could set, or a value of a wrong type or range.
    """
    schema = SCHEMAS[command]
    path = key.split(".")
    for depth, name in enumerate(path):
        if name not in schema.model_fields:
            below = "".join(f".{part}" for part in path[depth + 1 :])
            raise unknown_key(".".join(path[: depth + 1]), value, schema.model_fields, below)
        annotation = schema.model_fields[name].annotation
        inner = _model(annotation)
        if inner is not None:
            schema = inner
        elif annotation != Block and depth + 1 == len(path) and "${" not in str(value) and value != "???":
            _check_field(schema, key, name, value)
        else:
            return


def _model(annotation: Any) -> type[Strict] | None:
    """The annotation where it is one of our models, or that or null; Python 3.10 takes dict[str, Any] for a class."""
    members = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is UnionType and len(members) == 1:
        annotation = members[0]
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return None


def _check_field(schema: type[Strict], key: str, name: str, value: Any) -> None:
    try:
        schema.model_validate_json(json.dumps({name: value}, default=str))
    except ValidationError as error:
        if any(e["loc"][0] == name for e in error.errors(include_url=False)):
            raise wrong_value(key, value, _property(schema, name)) from error


def _property(schema: type[Strict], name: str) -> dict[str, Any]:
    return schema.model_json_schema()["properties"][name]
