"""The settings of a run in the place of a command's own, as options that Hydra composes with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.core.config_store import ConfigStore

OPTION = "from_run"  # of every group that the run has a part of
_OF_THE_RUN = ("run_dir", "resume", "force", "allow_targets")  # and not of one that begins with its settings


class Base(NamedTuple):
    """What a command line begins with.

    Attributes:
        run: the directory, absolute.
        settings: its config, in which `auto` and references to other keys stand where its options have them.
        choices: the option that it chose of each group, as far as it is known.
    """

    run: Path
    settings: dict[str, Any]
    choices: dict[str, str]

    @contextmanager
    def stored(self, primary: Path) -> Iterator[str]:
        """Let Hydra find the settings: a part as an option of its group, so that others take its place as usual.

        Args:
            primary: the command's own primary config; its order of groups is kept.

        Yields:
            the name of the primary config to compose.
        """
        store = ConfigStore.instance()
        before = copy.deepcopy(store.repo)
        self._store(store, yaml.safe_load(primary.read_text(encoding="utf-8")))
        try:
            yield OPTION
        finally:
            store.repo = before

    def _store(self, store: ConfigStore, own: dict[str, Any]) -> None:
        settings = {key: value for key, value in self.settings.items() if key in own and key not in _OF_THE_RUN}
        defaults = []
        for entry in own["defaults"]:
            if isinstance(entry, dict):
                (choice,) = entry
                group, _, place = choice.partition("@")
                block = self.settings.get(place or group)
                if place or group in self.settings:
                    option = f"{OPTION}_{place}" if place else OPTION
                    entry = {choice: None if block is None else option}
                if block is not None:
                    store.store(option, block, group)
            defaults.append(entry)
        store.store(OPTION, {**own, **settings, "defaults": defaults})

    def named(self, choices: dict[str, str]) -> dict[str, str]:
        """Return choices in which what is still the run's has the name that the run knows it by, or none."""
        still = {group: name.startswith(OPTION) for group, name in choices.items()}
        found = {group: self.choices.get(group) if still[group] else name for group, name in choices.items()}
        return {group: name for group, name in found.items() if name is not None}
