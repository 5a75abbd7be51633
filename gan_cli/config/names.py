"""Short names for what a run consists of: the chosen options, and dotted keys without class paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gan_cli.config.identity import leaves

TARGET = "_target_"
GROUPS = ("loss", "model", "dataset", "constraint", "updates", "optimizer", "latent", "condition", "input")
_NOT_TOLD = ("run_dir", "resume", "force", "allow_targets", "sweep")  # about the command, not about the run


def option(group: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> str:
    """Return the option chosen of a group; its class's name for a run that does not know; '' where there is none."""
    if choices.get(group):
        return str(choices[group])
    block = config.get(group)
    while isinstance(block, Mapping) and TARGET not in block:
        block = block.get("critic")
    return class_name(block[TARGET]) if isinstance(block, Mapping) else ""


def class_name(target: object) -> str:
    """Return `WeightClip` of `gan_cli.constraints.weight_clip.WeightClip`."""
    return str(target).rpartition(".")[2]


def readable(config: Mapping[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """Return a run's settings as dotted keys: a group by its option, a class by its name, the rest as it is.

    Args:
        config: resolved settings.
        choices: each group's chosen option, as far as it is known.
    """
    order = [*GROUPS, *(group for group in choices if group not in GROUPS and group not in ("runtime", "sweep"))]
    named = {group: str(choices[group]) for group in order if choices.get(group)}
    rest: dict[str, Any] = {}
    for key, value in leaves({k: v for k, v in config.items() if k not in _NOT_TOLD}).items():
        if key == TARGET or key.endswith(f".{TARGET}"):
            rest[key.removesuffix(TARGET) + "class"] = class_name(value)
        else:
            rest[key] = value
    return named | rest
