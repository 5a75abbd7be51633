"""Checks a checkpoint's meta.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gan_cli.core.text import show
from gan_cli.runs.contents import is_status, step_of

MOST = 2**53  # of anything that is counted
MAX_VALUES = 2**28  # of one sample
_COUNTS = ("real_batches", "critic_updates", "n_classes")
_TYPES: dict[str, type] = {"settings": dict, "data": str, "best": dict, "task": dict, "run": dict}


def check_meta(meta: Any, step: int) -> dict[str, Any]:
    """Return the meta, as parsed from JSON, of the checkpoint of a step: every key that is known has its type.

    Raises:
        ValueError: the first thing that is wrong, in one line.
    """
    if not isinstance(meta, dict):
        raise ValueError("its meta is not a mapping")
    if type(meta.get("step")) is not int or meta["step"] != step:
        raise ValueError("its step is not the one in its directory's name")
    for key in _COUNTS:
        if key in meta and not is_count(meta[key]):
            raise ValueError(f"its {key} is not a count")
    for key, kind in _TYPES.items():
        if not isinstance(meta.get(key), (kind, type(None))):
            raise ValueError(f"its {key} is not a {kind.__name__}")
    if run := meta.get("run"):
        if not is_status(run["status"]):
            raise ValueError("its status is not that of a run")
        for name, entry in (run["contents"] | run["at_end"]).items():
            if step_of(name) is None or entry.keys() != {"bytes", "sha256"} or not is_count(entry["bytes"]):
                raise ValueError(f"it has a hash of {show(name)}, which is not a file of a run")
    if "sample_shape" in meta:
        shapes(meta)
    return meta


def shapes(meta: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return the shapes of what a checkpoint's generator draws and reads.

    Returns:
        of a sample, (C, H, W) or (D,); and of what the data bring it to read, (C, H, W) or (F,), None: nothing.

    Raises:
        ValueError: there is none of a sample, or one that nothing has.
    """
    source = None if meta.get("source_shape") is None else _shape(meta, "source_shape")
    return _shape(meta, "sample_shape"), source


def _shape(meta: Mapping[str, Any], key: str) -> tuple[int, ...]:
    shape = meta.get(key)
    if not isinstance(shape, list) or len(shape) not in (1, 3) or not all(is_count(n) and n for n in shape):
        raise ValueError(f"its {key} is neither [C, H, W] nor [D]")
    if math.prod(shape) > MAX_VALUES:
        raise ValueError(f"its {key} has more than {MAX_VALUES:,} values")
    return tuple(shape)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number that something can have counted."""
    return type(value) is int and 0 <= value <= MOST
