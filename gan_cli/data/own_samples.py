"""The dataset that a map-style Dataset of the user's own is read into."""

from __future__ import annotations

from typing import Any

from gan_cli.core.text import described
from gan_cli.data.array_set import Arrays, ArraySet, as_arrays
from gan_cli.errors import GanError, UserError


class OwnSamples(ArraySet):
    """The items of an object with a length and an item for each number, each of which is read once.

    Args:
        items: samples, or pairs of a sample and its label, as `as_arrays` takes them.
    """

    def __init__(self, items: Any) -> None:
        super().__init__()
        self._items: Any = items
        self._arrays: Arrays | None = None
        self.name = type(items).__name__

    def arrays(self) -> Arrays:
        """Read the items.

        Raises:
            UserError: they are no samples, or their code raised an error.
        """
        if self._arrays is None:
            try:
                self._arrays, self._items = as_arrays(self._items), None
            except GanError:
                raise
            except Exception as error:
                raise UserError(f"dataset ({self.name}): {described(error)}") from error
        return self._arrays
