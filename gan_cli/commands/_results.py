"""Helpers of the commands that sample a run's generator: its samples, the protocol of a result, its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.analysis.look import Look
from gan_cli.config.schema import GeneratorConfig
from gan_cli.core.files import replace_file
from gan_cli.data.loader import to_bytes, to_float
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.training.sampling import sample


def looking_protocol(look: Look, config: GeneratorConfig) -> dict[str, Any]:
    """Return the protocol of a result: the run, its generator, how it is sampled, the extractor."""
    psi = getattr(look.state.game.latent, "psi", None)
    protocol = {
        "run": str(look.path),
        "step": look.state.step,
        "weights": "raw" if look.network is look.state.game.generator else "ema",
        "seed": config.seed,
        "truncation": "none" if psi is None else f"every number of z within {psi}",
    }
    if (extractor := look.extractor) is not None:
        weights = "no weights" if extractor.sha256 is None else f"weights' SHA-256 {extractor.sha256}"
        protocol |= {"extractor": f"{extractor.name}, {weights}", "resize": extractor.resize}
    return protocol


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


def write_json(out: Path, content: dict[str, Any]) -> None:
    """Write strict JSON; the file is replaced whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    text = json.dumps(content, indent=1, allow_nan=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, [text.encode() + b"\n"])
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error
