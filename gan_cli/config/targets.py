"""The allow-list of classes that a config may name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gan_cli.config.arguments import key_of
from gan_cli.core.text import shell_word, show
from gan_cli.errors import UserError

ALLOWED_PREFIXES = (
    "gan_cli.losses",
    "gan_cli.constraints",
    "gan_cli.updates",
    "gan_cli.inputs",
    "gan_cli.latents",
    "gan_cli.conditions",
    "gan_cli.models",
    "gan_cli.data",
    "gan_cli.degradations",
    "gan_cli.tasks",
    "gan_cli.schedules",
    "gan_cli.extractors",
    "gan_cli.analysis.explore",
    "gan_cli.studies",
    "torch.optim",
    "torch.nn",
)
MOVED = {  # classes that runs of earlier versions name by their former place
    f"gan_cli.models.condition.{name}": f"gan_cli.conditions.{module}.{name}"
    for name, module in {
        "Unconditional": "base",
        "Concat": "concat",
        "Projection": "projection",
        "AuxiliaryClassifier": "auxiliary_classifier",
    }.items()
}
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_allowed(target: str, allow_targets: Sequence[str] = ()) -> bool:
    """Return whether a dotted name is below an allowed prefix, or is one that the user opted in to."""
    below = tuple(f"{prefix}." for prefix in (*ALLOWED_PREFIXES, *allow_targets))
    return target in allow_targets or target.startswith(below)


def check_target(key: str, target: str, allow_targets: Sequence[str] = ()) -> None:
    """Refuse a class that is not below an allowed prefix.

    Args:
        key: where it stands, such as 'loss'.
        target: its dotted name.
        allow_targets: prefixes that the command line opted in to.

    Raises:
        UserError: it is not.
    """
    if is_allowed(target, allow_targets):
        return
    if target.startswith("gan_cli."):
        raise UserError(f"{key}._target_={target}: must be a class below one of {', '.join(ALLOWED_PREFIXES)}")
    prefixes = ",".join([*allow_targets, target.rpartition(".")[0]])
    raise UserError(
        f"{key}._target_={target}: code outside gan_cli, torch.nn and torch.optim runs only where the command line "
        f"says so; if you trust it, add {shell_word(f'allow_targets=[{prefixes}]')}"
    )


def permitted(words: Sequence[str]) -> list[str]:
    """Return the module prefixes that a command line permits with `allow_targets=[...]`.

    Raises:
        UserError: not a list of module names.
    """
    given = [word for word in words if key_of(word) == "allow_targets"]
    if not given:
        return []
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return check_prefixes(OverridesParser.create().parse_override(given[-1]).value())


def allowed_targets(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into its words and the module prefixes of its allow_targets=[...].

    Raises:
        UserError: the prefixes are not names of modules.
    """
    return [word for word in argv if key_of(word) != "allow_targets"], permitted(argv)


def check_prefixes(value: Any) -> list[str]:
    """Return the list given as `allow_targets` on the command line.

    Raises:
        UserError: not a list of dotted module names.
    """
    names = value if isinstance(value, list) else [value]
    if isinstance(value, str) or not all(isinstance(n, str) and _DOTTED.fullmatch(n) for n in names):
        raise UserError(
            f"allow_targets={show(value)}: must be a list of module names, such as 'allow_targets=[my_losses]'"
        )
    return names
