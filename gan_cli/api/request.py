"""From the arguments of a call to the checked config of a command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_cli.config.arguments import BASE, Arguments, CommandLine, as_groups, quoted
from gan_cli.core.places import require_text
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.compose import Composer
    from gan_cli.config.schema import Config

_GROUPS = ("extractor", "kind")  # whose options are words of ours


class Request(NamedTuple):
    """What a command's function gets.

    Attributes:
        config: checked.
        line: the overrides, and the option chosen of each group.
    """

    config: Config
    line: CommandLine


def requested(
    command: str,
    overrides: Sequence[str],
    config_dir: str | Path | None = None,
    from_run: str | Path | None = None,
) -> Request:
    """Compose and check a command's config.

    Args:
        command: one of `schema.SCHEMAS`.
        overrides: as on the command line, without sweeps.
        config_dir: a further directory of configs, as `--config-dir` names it.
        from_run: the directory of a run whose settings come first, as `--from` names it.

    Raises:
        UserError: the first thing that is wrong, in one line.
    """
    from gan_cli.config.validate import validate

    words = words_of(overrides)
    composer = composer_of(command, arguments_of(config_dir, from_run, words))
    if swept := next((o for o in composer.parse(words) if o.is_sweep_override()), None):
        raise UserError(f"{swept.input_line}: several values are a sweep; use gan_cli.sweep")
    cfg = composer.compose(words)
    return Request(validate(command, cfg, words), composer.line(words, cfg))


def composer_of(command: str, arguments: Arguments) -> Composer:
    """Return the composer of a command.

    Raises:
        UserError: there is no such directory or run, or it holds files that no config needs.
    """
    from gan_cli.config.compose import Composer

    composer = Composer.of(command, arguments)
    if BASE in arguments.flags:
        from gan_cli.session.base import based

        return based(composer, arguments)
    return composer


def arguments_of(
    config_dir: str | Path | None, from_run: str | Path | None = None, words: Sequence[str] = ()
) -> Arguments:
    """Return overrides with the flags that a directory of configs and a run stand for."""
    flags = {"--config-dir": config_dir, BASE: from_run}
    return Arguments([*words], {flag: os.fspath(path) for flag, path in flags.items() if path is not None})


def words_of(overrides: Sequence[str]) -> list[str]:
    """Return overrides as the command line reads them.

    Raises:
        UserError: one text, something else than texts, or names that are not UTF-8.
    """
    if isinstance(overrides, str) or not all(isinstance(word, str) for word in overrides):
        raise UserError(f"overrides={overrides!r}: must be a list of texts, such as ['loss=wgan', 'train.steps=500']")
    require_text(overrides)
    return as_groups(overrides)


def override(key: str, value: Any) -> str:
    """Return key=value in Hydra's grammar for a value of Python's: None, numbers, text, lists, mappings, tensors."""
    return f"{key}={_text(value)}"


def words_for(key: str, value: Any) -> list[str]:
    """Return the overrides of an argument; an extractor may be the directory of a classifier of `gan classifier`."""
    if key not in _GROUPS:
        return [override(key, value)]
    if key == "extractor" and (isinstance(value, Path) or os.sep in value):
        return ["extractor=classifier", override("extractor.path", value)]
    return [f"{key}={value}"]


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
