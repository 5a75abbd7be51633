"""From the arguments of a call to the checked config of a command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_cli.config.arguments import Arguments, CommandLine, as_groups, quoted
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.compose import Composer
    from gan_cli.config.schema import Config


class Request(NamedTuple):
    """What a command's function gets.

    Attributes:
        config: checked.
        line: the overrides, and the option chosen of each group.
    """

    config: Config
    line: CommandLine


def requested(command: str, overrides: Sequence[str], config_dir: str | Path | None = None) -> Request:
    """Compose and check a command's config.

    Args:
        command: one of `schema.SCHEMAS`.
        overrides: as on the command line, without sweeps.
        config_dir: a further directory of configs, as `--config-dir` names it.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    from gan_cli.config.compose import choices
    from gan_cli.config.validate import validate

    composer, words = composer_of(command, config_dir), words_of(overrides)
    if swept := next((o for o in composer.parse(words) if o.is_sweep_override()), None):
        raise UserError(f"{swept.input_line}: several values are a sweep; use gan_cli.sweep")
    cfg = composer.compose(words)
    return Request(validate(command, cfg, words), CommandLine(words, choices(cfg)))


def composer_of(command: str, config_dir: str | Path | None) -> Composer:
    """Return the composer of a command.

    Raises:
        UserError: there is no such directory, or it holds files that no config needs.
    """
    from gan_cli.config.compose import Composer

    return Composer.of(command, arguments_of(config_dir))


def arguments_of(config_dir: str | Path | None) -> Arguments:
    """Return the flags that a directory of configs stands for."""
    return Arguments([], {} if config_dir is None else {"--config-dir": os.fspath(config_dir)})


def words_of(overrides: Sequence[str]) -> list[str]:
    """Return overrides as the command line reads them.

    Raises:
        UserError: one text, or something else than texts.
    """
    if isinstance(overrides, str) or not all(isinstance(word, str) for word in overrides):
        raise UserError(f"overrides={overrides!r}: must be a list of texts, such as ['loss=wgan', 'train.steps=500']")
    return as_groups(overrides)


def override(key: str, value: Any) -> str:
    """Return key=value in Hydra's grammar for a value of Python's: None, numbers, text, lists, mappings, tensors."""
    return f"{key}={_text(value)}"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Path)):
        return quoted(str(value))
    if hasattr(value, "tolist"):  # a tensor, an array, or a number of numpy's
        return _text(value.tolist())
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_text(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, (list, tuple, range)):
        return f"[{','.join(map(_text, value))}]"
    return repr(value)
