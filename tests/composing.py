"""Hydra with a memory: a test process composes thousands of configs of the same files, a third of the tests' time."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType

CONF = Path(__file__).resolve().parents[1] / "conf"
_PLACES = {str(CONF), "hydra.conf", ""}  # where files do not change; "": Hydra's own schema
_known: dict[Any, bytes] = {}


def remember() -> None:
    """Let Hydra read a file of the package's once, choose from the same options once, and join what is chosen once.

    Where a user's directory or a run's settings take part, nothing is remembered. Values of a command line, and all
    errors, are Hydra's own work each time.
    """
    ConfigRepository.load_config = _files(ConfigRepository.load_config)
    defaults_list._create_interpolation_map = _asked_for(defaults_list._create_interpolation_map)
    defaults_list._create_defaults_list = _choices(defaults_list._create_defaults_list)
    ConfigLoaderImpl._compose_config_from_defaults_list = _joined(ConfigLoaderImpl._compose_config_from_defaults_list)


def _once(key: Any, made: Callable[[], Any]) -> Any:
    """Return a copy of what was made for a key."""
    if key not in _known:
        _known[key] = pickle.dumps(made())
    return pickle.loads(_known[key])


def _is_fixed(repo: Any, text: str) -> bool:
    return {source.path for source in repo.get_sources()} <= _PLACES and "from_run" not in text


def _files(load: Callable) -> Callable:
    def loaded(self: ConfigRepository, config_path: str) -> Any:
        place = getattr(self._find_object_source(config_path, ObjectType.CONFIG), "path", "")
        if place == "" or place not in _PLACES:
            return load(self, config_path)
        return _once(("file", place, config_path), lambda: load(self, config_path))

    return loaded


def _asked_for(choices: Callable) -> Callable:
    def made(overrides: Any, defaults: list[Any], self_added: bool) -> Any:
        asked = any(not default.is_self() and default.is_interpolation() for default in defaults)
        return choices(overrides, defaults, self_added) if asked else None

    return made


def _choices(create: Callable) -> Callable:
    def created(repo: Any, config_name: str, overrides: Any, prepend_hydra: bool, skip_missing: bool) -> Any:
        values, overrides.config_overrides = overrides.config_overrides, []

        def made() -> Any:
            return create(repo, config_name, overrides, prepend_hydra, skip_missing), vars(overrides)

        try:
            key = repr((config_name, vars(overrides), prepend_hydra, skip_missing))
            found, state = _once(key, made) if _is_fixed(repo, key) else made()
            vars(overrides).update(state)
        finally:
            overrides.config_overrides = values
        return found

    return created


def _joined(compose: Callable) -> Callable:
    def composed(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
        if not _is_fixed(repo, key := repr(defaults)):
            return compose(self, defaults, repo)
        return _once(key, lambda: compose(self, defaults, repo))

    return composed
