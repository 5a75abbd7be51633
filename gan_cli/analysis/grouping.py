"""Groups of runs that differ only by their seed, and the settings in which groups differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gan_cli.config.arguments import key_of
from gan_cli.config.identity import is_free
from gan_cli.config.names import option, readable
from gan_cli.core.text import show
from gan_cli.runs.reading import Run

SEED = "seed"
_PARTS = ("loss", "model", "dataset")  # that name a run
_FEW = 4  # values that a title lists
OF_K = ("loss", "constraint", "model", "dataset", "input", "condition", "allow_targets")
OF_THE_CRITIC = (*OF_K, "updates", "optimizer", "schedule", "train", "task", "degradation")  # decide how well it learnt


class Group(NamedTuple):
    """Runs that differ only by their seed.

    Attributes:
        values: values of the keys in which the groups differ.
        runs: the runs in the order in which they were given.
    """

    values: dict[str, str]
    runs: list[Run]

    @property
    def label(self) -> str:
        """The settings that distinguish this group from the others, such as `loss=wgan c=0.01`."""
        shorts = short_names(list(self.values))
        return " ".join(f"{shorts[key]}={value}" for key, value in self.values.items()) or "all runs"


def keys_of(run: Run) -> dict[str, str]:
    """Return the settings that identify a run, as text: options of groups first, then single keys."""
    named = readable(run.config, run.choices).items()
    return {key: show(value) for key, value in named if key == "train.steps" or not is_free(key)}


def groups(runs: Sequence[Run]) -> list[Group]:
    """Group the runs by the keys that differ: keys of their command lines if they suffice, then other keys."""
    of_runs = [keys_of(run) for run in runs]
    keys = [key for key in _overridden(runs) if _varies(key, of_runs)]
    while True:
        found: dict[tuple[str, ...], list[int]] = {}
        for i, one in enumerate(of_runs):
            found.setdefault(tuple(one.get(key, "") for key in keys), []).append(i)
        more = next((key for same in found.values() for key in _hidden([of_runs[i] for i in same], keys)), None)
        if more is None:
            return [
                Group(dict(zip(keys, values, strict=True)), [runs[i] for i in same]) for values, same in found.items()
            ]
        keys.append(more)


def title(groups: Sequence[Group]) -> str:
    """Return what groups are compared, such as `loss: wgan against hinge`; of one group, what its runs are."""
    values = [list(group.values.values()) for group in groups]
    keys = list(short_names(list(groups[0].values)).values())
    if not keys:
        (group,) = groups
        run = group.runs[0]
        parts = ", ".join(filter(None, (option(name, run.config, run.choices) for name in _PARTS)))
        seeds = [str(one.config.get(SEED)) for one in group.runs]
        return f"{parts}, {SEED}{'s' if len(seeds) > 1 else ''} {_listed(seeds)}"
    each = [list(dict.fromkeys(column)) for column in zip(*values, strict=True)]
    if len(keys) == 1:
        return f"{keys[0]}: {' against '.join(each[0]) if len(groups) == 2 else _listed(each[0])}"
    shown = [f"{key} ({_listed(found)})" for key, found in zip(keys, each, strict=True)]
    return _listed(shown)


def _listed(words: Sequence[str]) -> str:
    if len(words) <= _FEW:
        return ", ".join(words)
    return f"{', '.join(words[: _FEW - 1])} and {len(words) - _FEW + 1} more"


def differing(groups: Sequence[Group], prefixes: Sequence[str]) -> list[str]:
    """Return the keys below some prefixes whose values differ between groups, all keys considered."""
    of_groups = [keys_of(group.runs[0]) for group in groups]
    keys = dict.fromkeys(key for one in of_groups for key in one if key.partition(".")[0] in prefixes)
    return [key for key in keys if _varies(key, of_groups)]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return each key's last part, or the whole key if two would be the same."""
    last = {key: key.rpartition(".")[2] for key in keys}
    return {key: name if list(last.values()).count(name) == 1 else key for key, name in last.items()}


def _overridden(runs: Sequence[Run]) -> list[str]:
    keys: dict[str, None] = {}
    for run in runs:
        sessions = run.status.get("sessions")
        first = sessions[0] if isinstance(sessions, list) and sessions else {}
        command: Any = first.get("command") if isinstance(first, dict) else []
        for word in command[1:] if isinstance(command, list) else []:
            key = key_of(str(word))
            keys |= {} if key == SEED else {key: None}
    return list(keys)


def _varies(key: str, of_runs: Sequence[dict[str, str]]) -> bool:
    return len({one.get(key) for one in of_runs}) > 1


def _hidden(of_runs: Sequence[dict[str, str]], keys: Sequence[str]) -> list[str]:
    """Return keys that still differ within one group."""
    found = dict.fromkeys(key for one in of_runs for key in one if key not in keys and key != SEED)
    return [key for key in found if _varies(key, of_runs)]
