"""Keeps curves of different scale out of one frame of TensorBoard: each scale has a tag of its own there.

A curve in units of the critic, as its estimate, which is K times a distance, lies flat for a clipped critic (0.01)
beside that of a penalised one (20). TensorBoard draws all runs that have a tag in one frame. Runs whose losses,
constraints or networks differ are therefore shown under `critic/wasserstein_estimate, wgan` and so on; in the runs' own
files nothing changes, and `critic/wasserstein_normalised`, which can be compared, keeps one frame.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboard.data.provider import RunTagFilter

from gan_cli.analysis.grouping import OF_K, keys_of, short_names
from gan_cli.config.names import GROUPS
from gan_cli.core.curves import depends_on_critic
from gan_cli.runs import reading
from gan_cli.runs.directory import CONFIG

_BEHIND = ", "  # a bracket would do harm: TensorBoard reads the run from a curve's name by its brackets
_NO_BRACKETS = str.maketrans("()", "[]")
_KINDS = ("estimate", "bound")  # of what has a held-out twin


def on_scale(tag: str, label: str) -> str:
    """Return a tag as it is shown for a run whose scale differs from others' by these settings."""
    return f"{tag}{_BEHIND}{label}" if label and in_units_of_the_critic(tag) else tag


def label_of(tag: str) -> str:
    """Return the settings in a tag that is shown, such as `wgan`; '' where there are none."""
    return tag.removeprefix(bare(tag)).removeprefix(_BEHIND)


def bare(tag: str) -> str:
    """Return a tag as it is in the runs' files."""
    start = tag.partition(_BEHIND)[0]
    return start if in_units_of_the_critic(start) else tag


@functools.cache
def in_units_of_the_critic(tag: str) -> bool:
    """Return whether a curve's scale is the critic's own, as that of its estimate, also on held-out samples."""
    start = tag.removesuffix("_heldout")
    return depends_on_critic(tag) or (start != tag and any(depends_on_critic(f"{start}_{k}") for k in _KINDS))


def labels(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the settings in which runs' scales differ, by the runs' names: all '' where they are alike.

    Args:
        directory: that TensorBoard shows.
        names: of the runs there.
    """
    settings = {name: found for name in names if (found := _settings(directory / name))}
    keys: list[str] = []

    def values(name: str) -> tuple[str, ...]:
        return tuple(settings[name].get(key, "") for key in keys)

    for key in dict.fromkeys(key for one in settings.values() for key in one):  # options of groups come first
        apart = len(set(map(values, settings)))
        keys.append(key)
        if len(set(map(values, settings))) == apart:
            keys.pop()
    shorts = {key: "" if key in GROUPS else f"{name}=" for key, name in short_names(keys).items()}
    shown = {
        name: " ".join(f"{shorts[key]}{value}" for key, value in zip(keys, values(name), strict=True))
        for name in settings
    }
    return {name: label.translate(_NO_BRACKETS) for name, label in shown.items()}


def _settings(run: Path) -> Mapping[str, str]:
    """Return the settings on which the scale of a run's estimate depends; {} where there is no run."""
    try:
        return _settings_at(run, (run / CONFIG).stat().st_mtime_ns)
    except OSError:
        return {}


@functools.lru_cache(maxsize=1024)
def _settings_at(run: Path, written: int) -> Mapping[str, str]:
    found = keys_of(reading.run_at(run))
    return {key: value for key, value in found.items() if key.partition(".")[0] in OF_K}


class Scaled:
    """TensorBoard's data with a tag for each scale.

    Args:
        inner: TensorBoard's own provider of data.
        directory: that it shows.
    """

    def __init__(self, inner: Any, directory: Path) -> None:
        self._inner = inner
        self._directory = directory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def list_scalars(self, ctx: Any = None, *, run_tag_filter: Any = None, **keys: Any) -> dict[str, Any]:
        """Return the tags of each run and what is known of them; arguments are those of TensorBoard's provider."""
        return self._shown(self._inner.list_scalars, ctx, run_tag_filter, keys)

    def read_scalars(self, ctx: Any = None, *, run_tag_filter: Any = None, **keys: Any) -> dict[str, Any]:
        """Return the values of each run by tag; arguments as for `list_scalars`."""
        return self._shown(self._inner.read_scalars, ctx, run_tag_filter, keys)

    def _shown(self, ask: Any, ctx: Any, asked: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
        tags = None if asked is None or asked.tags is None else {bare(tag) for tag in asked.tags}
        found = ask(ctx, run_tag_filter=RunTagFilter(asked and asked.runs, tags), **keys)
        known = labels(self._directory, self._names(ctx, keys["experiment_id"]))
        shown = {
            run: {on_scale(tag, known.get(run, "")): value for tag, value in of.items()} for run, of in found.items()
        }
        if tags is None:
            return shown
        return {run: {tag: value for tag, value in of.items() if tag in asked.tags} for run, of in shown.items()}

    def _names(self, ctx: Any, experiment: str) -> list[str]:
        return [run.run_name for run in self._inner.list_runs(ctx, experiment_id=experiment)]


def scaled(plugin: type) -> type:
    """Return a plugin of TensorBoard that shows a tag for each scale."""

    def begin(self: Any, context: Any) -> None:
        own = copy.copy(context)
        own.data_provider = Scaled(context.data_provider, Path(context.logdir))
        plugin.__init__(self, own)

    return type(plugin.__name__, (plugin,), {"__init__": begin})
