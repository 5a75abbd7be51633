"""What makes a run the run it is: which settings may change when it is continued, and what else changes its numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from gan_cli.core.text import show
from gan_cli.errors import UserError

FREE = (
    "train.steps",
    "run_dir",
    "allow_targets",
    "log",
    "evaluate",
    "extractor",
    "checkpoint",
    "runtime",
    "dataset.path",
    "dataset.resident",
    "resume",
    "force",
    "sweep",
)
FREE_IN_WORDS = "train.steps, log.*, evaluate.*, checkpoint.*, runtime.*, dataset.path and dataset.resident"
DATA = "the data"  # stands beside the keys in a comparison: their fingerprint
_SHOWN = 3  # differences that are spelled out
_MACHINE = {  # where a session's entry has it, and what brings it back
    "torch": (("versions", "torch"), "with torch=={} installed"),
    "device": (("device",), "on the device of then"),
    "processor": (("processor",), "on the processor of then"),
    "threads": (("threads",), "with runtime.threads={}"),
    "precision": (("precision",), "with runtime.precision={}"),
    "engine": (("engine",), "with runtime.engine={}"),
    "processes": (("processes",), "with {} processes"),
}


class Change(NamedTuple):
    """One difference: the value then and the value now; None where there is none."""

    old: Any
    new: Any


def is_free(key: str) -> bool:
    """Tell whether a dotted key may change from one session of a run to the next; every other key is its identity."""
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def identifying(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a run that has not begun the run it is: leaves of its settings, and where its data lie.

    A run that exists may find its data elsewhere, for it knows their fingerprint; before, the directory stands for it.
    """
    found = leaves(settings)
    kept = {key: value for key, value in found.items() if not is_free(key)}
    path = found.get("dataset.path")
    return kept | ({} if path is None else {"dataset.path": absolute(path)})


def absolute(path: str) -> str:
    """Return a path of the user's as every working directory has it."""
    return os.path.abspath(os.path.expanduser(path))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    """Compare the identity of two runs.

    Args:
        old: resolved settings, as a checkpoint holds them.
        new: resolved settings; an `auto` among them is not known before the data are read, and differs from nothing.

    Returns:
        dotted key -> what differs, in the order of the keys.
    """
    before, after = leaves(old), leaves(new)
    keys = [key for key in {**before, **after} if not is_free(key)]
    pairs = {key: Change(before.get(key), after.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair.old != pair.new and pair.new != "auto"}


def leaves(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings as dotted keys and their values; a list is one value."""
    found: dict[str, Any] = {}
    rest: list[tuple[str, Any]] = [("", settings)]
    while rest:
        key, value = rest.pop()
        if isinstance(value, Mapping) and (value or not key):
            inner = [(f"{key}.{name}" if key else str(name), item) for name, item in value.items()]
            rest += reversed(inner)
        else:
            found[key] = value
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


def check_request(settings: Mapping[str, Any]) -> None:
    """Check what a command line of `gan train` asks of its run's directory.

    Raises:
        UserError: `resume=auto` without a `run_dir`, `force` without `resume=auto`, or `best_is` without `best`.
    """
    saving = settings["checkpoint"]
    if saving["best"] is None and saving["best_is"] != "max":
        raise UserError(
            "checkpoint.best_is=min: of which curve? add checkpoint.best=TAG, such as quality/kl_to_uniform"
        )
    auto = settings["resume"] == "auto"
    if auto and settings["run_dir"] is None:
        raise UserError("resume=auto: continues the run in run_dir, and none is given; add run_dir=runs/NAME")
    if settings["force"] and not auto:
        raise UserError(
            "force=true: continues a run with other settings, so it needs one; add resume=auto, or leave it"
        )


def not_free(override: str) -> UserError:
    """Return the error for an override that `gan resume` cannot take."""
    key = override.lstrip("+~").partition("=")[0]
    if is_free(key):
        return UserError(f"{override}: gan resume takes single keys, such as runtime.device=cpu")
    return UserError(
        f"{override}: {key} makes the run what it is; {FREE_IN_WORDS} may change. To go on with another value: "
        f"gan train THE SAME OVERRIDES {override} run_dir=RUN resume=auto force=true"
    )


def unlike(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what keeps a session from going on bit for bit, and how to get that back; '' where nothing does.

    Args:
        before: the entry of the last session in run.json; what it does not hold is not compared.
        now: the entry of this one, as `rundir.provenance` returns it.
    """
    pairs = {name: (_at(before, path), _at(now, path)) for name, (path, _) in _MACHINE.items()}
    changed = {name: pair for name, pair in pairs.items() if pair[0] is not None and pair[0] != pair[1]}
    if changed.get("device") == changed.get("processor"):  # on a CPU they are one thing
        changed.pop("processor", None)
    if not changed:
        return ""
    told = ", ".join(f"{name} {show(old)} then, {show(new)} now" for name, (old, new) in changed.items())
    mends = dict.fromkeys(_MACHINE[name][1].format(str(old).partition("+")[0]) for name, (old, _) in changed.items())
    return (
        f"not as in the session before ({told}): the run goes on, but not bit for bit; "
        f"to have that, stop it and resume {' and '.join(mends)}"
    )


def _at(entry: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry
