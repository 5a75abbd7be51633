"""The dataset of samples that Python gives."""

from __future__ import annotations

from typing import Any

from gan_cli.data.array_set import Arrays, ArraySet, as_arrays
from gan_cli.errors import UserError


class InMemory(ArraySet):
    """Samples of `gan_cli.train(dataset=...)`; a config cannot hold them, so every use of the run gives them again."""

    name = "memory"
    _arrays: Arrays | None = None

    def give(self, data: Any) -> None:
        """Take the samples; see `array_set.as_arrays`.

        Raises:
            UserError: they are no samples.
        """
        self._arrays = as_arrays(data)

    def arrays(self) -> Arrays:
        """Return the samples.

        Raises:
            UserError: none were given.
        """
        if self._arrays is None:
            raise UserError(
                "dataset=memory: the data of this run are in Python's memory; give them again, as in "
                "gan_cli.load(RUN, dataset=x)"
            )
        return self._arrays
