"""The identity of a run: which keys may change when it is continued, and what differs between two configs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_cli.config.arguments import key_of, override_of
from gan_cli.core.places import require_text
from gan_cli.core.text import shell_line, show
from gan_cli.errors import UserError

if TYPE_CHECKING:  # help and unknown options need no pydantic
    from gan_cli.config.schema import RunConfig

PLACES = (  # of a run's data, which are known by their fingerprint
    *(f"{group}.{key}" for group in ("dataset", "dataset_b") for key in ("path", "path_b", "tags")),
    "task.vectors",
    "extractor.path",
)
FREE = (
    *PLACES,
    "train.steps",
    "run_dir",
    "allow_targets",
    "log",
    "evaluate",
    "extractor",
    "checkpoint",
    "runtime",
    "dataset.resident",
    "dataset_b.resident",
    "resume",
    "force",
    "sweep",
)
_COURSE = ("train.steps", "log.", "evaluate.", "extractor.", "checkpoint.")
FREE_IN_WORDS = (
    "train.steps, log.*, evaluate.*, checkpoint.*, runtime.*, and path, path_b, tags and resident of a dataset"
)
DATA = "the data"  # stands beside the keys in a comparison: their fingerprint
_SHOWN = 3  # differences that are spelled out


class Change(NamedTuple):
    """One difference: the value then and the value now; None where there is none."""

    old: Any
    new: Any


def is_free(key: str) -> bool:
    """Return whether a dotted key may change from one session of a run to the next; every other key is its identity."""
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def identifying(config: RunConfig) -> dict[str, Any]:
    """Return what identifies a run that has not started: leaves of its config, and the place of its data.

    A run that exists may find its data elsewhere, for it knows their fingerprint; before, the directory stands for it.
    """
    kept = {key: value for key, value in leaves(config.plain()).items() if not is_free(key)}
    return kept | places(config)


def places(config: RunConfig) -> dict[str, str]:
    """Return where the data are, by dotted key, as every working directory has it."""
    return {key: absolute(path) for key, path in leaves(config.plain()).items() if key in PLACES and path is not None}


def absolute(path: str) -> str:
    """Return a path of the user's as every working directory has it.

    Raises:
        UserError: it is not UTF-8, so no config could hold it.
    """
    found = os.path.abspath(os.path.expanduser(path))
    require_text([found])
    return found


def with_absolute_places(config: RunConfig) -> RunConfig:
    """Return the config with absolute places of its data, and of the run that it begins with."""
    for group, _, name in (key.partition(".") for key in PLACES):
        part = getattr(config, group)
        if part is not None and (place := part.arguments.get(name)):
            config = config.replace(**{group: part.replace(**{name: absolute(place)})})
    return config.replace(init_from=absolute(config.init_from) if config.init_from else None)


def differences(old: RunConfig, new: RunConfig) -> dict[str, Change]:
    """Compare the identity of two runs.

    Args:
        old: resolved, as a checkpoint holds it.
        new: resolved; an `auto` among them is not known before the data are read, and differs from nothing.

    Returns:
        dotted key -> what differs, in the order of the keys.
    """
    return {key: pair for key, pair in _all_differences(old, new).items() if not is_free(key)}


def changed_course(old: RunConfig, new: RunConfig) -> dict[str, Change]:
    """Return what differs, as `differences` does, of the keys that may change and shape what a run leaves behind."""
    return {key: pair for key, pair in _all_differences(old, new).items() if key.startswith(_COURSE)}


def _all_differences(old: RunConfig, new: RunConfig) -> dict[str, Change]:
    from gan_cli.config.parts import with_defaults

    # A key that an option got after the run was made has its default in the run.
    before, after = (leaves(with_defaults(config).plain()) for config in (old, new))
    pairs = {key: Change(before.get(key), after.get(key)) for key in {**before, **after}}
    return {key: pair for key, pair in pairs.items() if pair.old != pair.new and pair.new != "auto"}


def leaves(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings as dotted keys and their values; a list is one value."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, Mapping) and value
        found |= {f"{name}.{key}": leaf for key, leaf in leaves(value).items()} if inner else {str(name): value}
    return found


def listed(changes: Mapping[str, Change]) -> str:
    """Return differences in one line: `key: old -> new`, the first few and how many more there are."""
    words = [f"{key}: {show(pair.old)} -> {show(pair.new)}" for key, pair in list(changes.items())[:_SHOWN]]
    more = len(changes) - len(words)
    return ", ".join(words) + (f", and {more} more" if more else "")


def require_same(run: object, changes: Mapping[str, Change], force: bool) -> None:
    """Refuse to continue a run as another one.

    Raises:
        UserError: something differs and `force` is not set.
    """
    if changes and not force:
        raise UserError(
            f"{run} was trained so far with other settings ({listed(changes)}): give the run's own, or choose another "
            f"run_dir; force=true continues it with the new values"
        )


def not_free(override: str, others: Sequence[str]) -> UserError:
    """Return the error for an override that `gan resume` cannot take, with the command that takes it.

    Args:
        override: of a key that identifies a run.
        others: the other overrides of the command line.
    """
    if is_free(key_of(override)):
        return UserError(f"{override}: gan resume takes single keys, such as runtime.device=cpu")
    run = next((word.partition("=")[2].strip("'") for word in others if key_of(word) == "run"), "runs/NAME")
    words = [word for word in others if key_of(word) not in ("run", "force")]
    command = ["gan", "train", "--from", run, override, *words, override_of("run_dir", run)]
    return UserError(
        f"{override}: only {FREE_IN_WORDS} may change, since every other key identifies the run. To continue with "
        f"another value: {shell_line(*command, 'resume=auto', 'force=true')}"
    )
