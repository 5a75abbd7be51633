"""The samples of a run's generator, as many as are asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.analysis.look import Look
from gan_cli.config.command_schemas import GeneratorConfig
from gan_cli.data.loader import to_bytes, to_float
from gan_cli.rng import Draws
from gan_cli.training.sampling import sample


class Fakes:
    """An endless sequence of a run's samples, rounded to 8 bits as in a file.

    Args:
        look: has the generator, prior and condition.
        y: labels (N,) of real samples; in a run with classes, the classes of its samples are drawn from them.
        settings: `seed` and `batch_size` are used.
    """

    def __init__(self, look: Look, y: Tensor | None, config: GeneratorConfig) -> None:
        self._labels = y
        self._game, self._network, self._batch_size = look.state.game, look.network, config.batch_size
        self._draws = Draws(next(self._game.parameters()).device, config.seed, "sample")
        self._kept: Tensor | None = None

    def rows(self, start: int, stop: int) -> Tensor:
        """Return samples start to stop, images in [-1, 1]; they do not depend on earlier calls."""
        have = 0 if self._kept is None else len(self._kept)
        if stop > have:
            fresh = self._stored(stop - have)
            self._kept = fresh if self._kept is None else torch.cat([self._kept, fresh])
        rows = self._kept[start:stop]
        return to_float(rows) if rows.dtype == torch.uint8 else rows

    def _stored(self, n: int) -> Tensor:
        y = None
        if self._game.condition.needs_labels:
            among = (self._draws.uniform("labels", n) * len(self._labels)).long().clamp(max=len(self._labels) - 1)
            y = self._labels[among]
        parts = sample(self._game, self._network, n, self._draws, self._batch_size, y)
        return torch.cat([to_bytes(x) if x.dim() == 4 else x for x in parts])
