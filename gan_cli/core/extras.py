"""Optional packages, by the extra that brings each."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from gan_cli.errors import UserError

TRACKERS = ("wandb", "mlflow")  # extras and modules of these names


def require_trackers(to: Sequence[str]) -> None:
    """Refuse trackers that are not installed; none is imported to find out.

    Args:
        to: the config's `log.to`.

    Raises:
        UserError: the first of them, and the command that installs it.
    """
    for name in to:
        if name in TRACKERS and importlib.util.find_spec(name) is None:
            raise UserError(f'log.to=[{name}]: is not installed here; pip install "gan_cli[{name}]"')
