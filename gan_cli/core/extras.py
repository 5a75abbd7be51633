"""Packages: their versions, the command that installs an optional one, and whether those that are needed are here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence

from gan_cli.errors import UserError

TRACKERS = ("wandb", "mlflow")  # extras and modules of these names


def version(package: str) -> str | None:
    """Return the version of an installed package, or None, as for a checkout that runs without being installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def pip_install(extra: str) -> str:
    """Return the command that installs an extra of this package."""
    return f'pip install "gan_cli[{extra}]"'


def require(asked: str, extra: str, modules: Sequence[str]) -> None:
    """Refuse what needs modules that are not installed; none is imported to find out.

    Args:
        asked: what needs them, as `format=onnx`.
        extra: of this package, that brings them.
        modules: their names.

    Raises:
        UserError: all that are missing, and the command that installs them.
    """
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        raise UserError(f"{asked}: needs {', '.join(missing)}; {pip_install(extra)}")


def require_trackers(to: Sequence[str]) -> None:
    """Refuse trackers that are not installed; none is imported to find out.

    Args:
        to: the config's `log.to`.

    Raises:
        UserError: the first of them, and the command that installs it.
    """
    for name in to:
        if name in TRACKERS and importlib.util.find_spec(name) is None:
            raise UserError(f"log.to=[{name}]: is not installed here; {pip_install(name)}")
