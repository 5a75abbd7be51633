"""From a composed or a saved config to the typed one of a command, with every key, value and part checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gan_cli.config import parts
from gan_cli.config.arguments import key_of
from gan_cli.config.command_schemas import SCHEMAS
from gan_cli.config.schema import SUITABLE, Config, Evaluate, Part, RunConfig
from gan_cli.config.schema_errors import explained
from gan_cli.config.targets import check_prefixes, permitted
from gan_cli.core.extras import require_trackers
from gan_cli.core.text import one_line, show
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig, ListConfig

_TYPED = ("allow_targets", "run", "run_dir", "out", "docs")  # keys that the command line alone may set
_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\\$\{")  # \${ is text
_REFERENCE = re.compile(r"\$\{[\w.\[\]-]+\}")
MAX_REFERENCES = 32  # in one config: references to references multiply
MAX_NUMBER = 3e38  # of float32
MAX_TEXT = 1000  # characters of a text with references


def validate(command: str, cfg: DictConfig, overrides: Sequence[str]) -> Config:
    """Return the config of a command.

    Args:
        command: one of `schema.SCHEMAS`.
        cfg: as Hydra composed it; its `hydra` block is left out.
        overrides: the command line's, the only place that `allow_targets` and paths are read from.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    allowed = permitted(overrides)
    try:
        plain = _resolved(cfg, command)
        for key in _TYPED:
            if plain.get(key) and key not in map(key_of, overrides):
                given = f"{key}={show(plain[key])}"
                raise UserError(
                    f"{given}: taken from the command line alone, since a config must choose neither what code runs "
                    f"nor where files are written; if you trust it, add {given} there"
                )
        config = _typed(command, plain)
        if isinstance(config, RunConfig):
            _check_request(config)
            require_trackers(config.log.to)
        return parts.check(config, allowed, list(map(key_of, overrides)))
    except RecursionError as error:
        raise UserError("the config is nested too deeply, or refers to itself") from error


def check(command: str, plain: dict[str, Any], allow_targets: Sequence[str] = ()) -> Config:
    """Return the config that plain values mean.

    Args:
        command: one of `schema.SCHEMAS`.
        plain: mappings, lists and values, without interpolations.
        allow_targets: module prefixes of classes that the command line permits.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    return parts.check(_typed(command, plain), allow_targets)


def plausible(command: str, cfg: DictConfig) -> None:
    """Check keys and values without the classes of the parts, which take seconds to import.

    Raises:
        UserError: the first thing that is wrong.
    """
    _typed(command, _resolved(cfg, command))


def _typed(command: str, plain: dict[str, Any]) -> Config:
    """Return the config with its keys and values checked, and its parts not."""
    schema = SCHEMAS[command]
    for key, value in _values(plain):
        if isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
            raise UserError(f"{key}: holds a character that is not text")
        if isinstance(value, float) and MAX_NUMBER < abs(value) < math.inf:
            raise UserError(f"{key}={show(value)}: torch has no numbers beyond {MAX_NUMBER:g}")
    try:
        return schema.model_validate_json(json.dumps(plain, default=str))
    except ValidationError as error:
        raise explained(error, schema.model_json_schema(), plain) from error


def validate_saved(plain: Any, allow_targets: Sequence[str] = ()) -> RunConfig:
    """Return the config that a run directory holds, checked as if it were typed now.

    Args:
        plain: the content of config.yaml, or of a checkpoint's metadata.
        allow_targets: module prefixes that *this* command line permits; those in the file are ignored.

    Raises:
        UserError: not such a config, an interpolation, or anything that `gan train` would refuse.
    """
    if not isinstance(plain, dict):
        raise UserError(f"config.yaml holds {show(plain)}, not the config of a run")
    try:
        for key, value in _values(plain):
            if "${" in f"{key}{value}":
                raise UserError(f"{key}={show(value)}: a saved config holds values, not interpolations")
        return check("train", {**plain, "allow_targets": check_prefixes(list(allow_targets))}, allow_targets)
    except RecursionError as error:
        raise UserError("config.yaml is nested too deeply to be the config of a run") from error


def _check_request(config: RunConfig) -> None:
    """Refuse keys of `gan train` that contradict each other or would have no effect."""
    if config.checkpoint.best is None and config.checkpoint.best_is != "max":
        raise UserError(
            "checkpoint.best_is=min: no effect without a curve; add checkpoint.best=TAG, such as quality/modes"
        )
    if config.train.ema_statistics != "copy" and config.train.ema_halflife_images is None:
        raise UserError("train.ema_statistics=average: no moving average is kept; add train.ema_halflife_images=10000")
    if config.init_weights != "auto" and config.init_from is None:
        raise UserError(f"init_weights={config.init_weights}: no effect without a run; add init_from=runs/NAME")
    if config.resume == "auto" and config.run_dir is None:
        raise UserError("resume=auto: continues the run in run_dir, and none is given; add run_dir=runs/NAME")
    if config.force and config.resume != "auto":
        raise UserError("force=true: continues a run with another config; add resume=auto, or leave it out")
    unused = config.extractor != SUITABLE and not _reads_features(config.task)
    if not config.evaluate.every_steps and (config.evaluate != Evaluate() or unused):
        raise UserError("evaluate.* and extractor: no effect, since nothing is evaluated; add evaluate.every_steps=500")


def _reads_features(task: Part) -> bool:
    """Return whether a task needs an extractor, by its config alone: its class is not imported yet."""
    return task.arguments.get("content") == "features" or task.name == "Tag"


def _resolved(cfg: DictConfig, command: str) -> dict[str, Any]:
    """Return plain values, in which every reference to another key is replaced by its value."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    raw = OmegaConf.to_container(cfg, resolve=False, enum_to_str=True)
    without_run = raw.get("run") == "???" and bool(raw.get("fakes"))  # the pictures take its place
    raw |= {"run": None} if without_run else {}
    own = cfg if raw.pop("hydra", None) is None and not without_run else OmegaConf.create(raw)
    count = 0
    for key, value in _values(raw):
        if value == "???":
            if key == "run":
                raise UserError(f"no run is named; write gan {command} RUN, such as gan {command} runs/NAME")
            raise UserError(f"{key}: no value is given; add {key}=VALUE")
        text = _ESCAPED.sub("", str(value))
        here = text.count("${")
        count += here
        if here and (here != len(_REFERENCE.findall(text)) or len(text) > MAX_TEXT or count > MAX_REFERENCES):
            raise UserError(
                f"{key}={show(value)}: a config may refer to its own keys alone, as in ${{train.steps}}, and "
                f"{MAX_REFERENCES} times"
            )
    try:
        _refer(raw, own)
        return raw
    except OmegaConfBaseException as error:
        key = error.full_key or "config"
        reason = one_line(str(error.msg or error).splitlines()[0])
        raise UserError(
            f"{key}={show(dict(_values(raw)).get(key))}: {reason}; give a value or a key that exists"
        ) from error


def _refer(raw: dict[str, Any] | list[Any], own: DictConfig | ListConfig) -> None:
    """Replace the references in plain values by what they refer to.

    Args:
        raw: of `own`, with its references.
        own: knows what they refer to.
    """
    from omegaconf import OmegaConf

    for key, value in list(raw.items() if isinstance(raw, dict) else enumerate(raw)):
        if "${" not in str(value):
            continue
        if isinstance(value, (dict, list)):
            _refer(value, own[key])
        elif isinstance(value, str):
            found = own[key]
            raw[key] = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found


def _values(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what mappings and lists hold, with its dotted key."""
    if not isinstance(value, (dict, list)):
        yield key, value
        return
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _values(inner, f"{key}.{name}" if key else str(name))
