"""The dataset of samples that Python gives."""

from __future__ import annotations

from gan_cli.data.array_set import Arrays, ArraySet
from gan_cli.errors import UserError


class InMemory(ArraySet):
    """Samples of `gan_cli.train(dataset=...)`; a config cannot hold them, so every use of the run gives them again."""

    name = "memory"
    given: Arrays | None = None  # put here before it is opened

    def arrays(self) -> Arrays:
        """Return the samples.

        Raises:
            UserError: none were given.
        """
        if self.given is None:
            raise UserError(
                "dataset=memory: the data of this run are in Python's memory; give them again, as in "
                "gan_cli.load(RUN, dataset=x)"
            )
        return self.given
