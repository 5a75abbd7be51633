"""What the commands that look into a finished run share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.analysis.look import Demand, Look
from gan_cli.analysis.reals import open_singly
from gan_cli.commands._loading import generator_of, load
from gan_cli.config import validate
from gan_cli.core.files import replace_file
from gan_cli.data.loader import to_bytes, to_float
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.training.sampling import sample


def open_data(path: Path, settings: dict[str, Any], device: torch.device) -> RealData:
    """Open a run's data, a sample a batch, in an order that is the same for every run; tell if they have changed.

    Raises:
        UserError: they are not there.
    """
    saved = validate.validate_saved(directory.read_config(path), settings["allow_targets"])
    data = open_singly(build.dataset(saved), device)
    sessions = directory.read_status(path).get("sessions") or [{}]
    if sessions[-1].get("data") not in (None, data.fingerprint):
        print(f"gan: warning: {path} was trained on other data than its config names now", file=sys.stderr)
    return data


def look(settings: dict[str, Any], data: Demand = "needed") -> Look:
    """Open a run, and its data and the extractor that the settings name or leave to the data.

    Args:
        settings: of a command; `extractor` is used where data are.
        data: `none`: neither data nor extractor are opened; `wanted`: they are left out where they cannot be.

    Raises:
        UserError: there is no run, no good checkpoint; where needed, no data to compare with, or no extractor for them.
    """
    path = Path(settings["run"])
    state, shape, _ = load(path, settings)
    found = Look(path, state, generator_of(state, settings["weights"]), shape, None, None)
    if data == "none":
        return found
    try:
        found = found._replace(data=open_data(path, settings, found.device))
        if len(shape) == 3:
            extractor = build.extractor(settings).choose(found.data)
            extractor.load(found.device)
            found = found._replace(extractor=extractor)
    except UserError as error:
        if data == "needed":
            raise
        return found._replace(lacking=str(error))
    return found


def looking_protocol(look: Look, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what every result depends on: the run, its generator, how it is drawn from, the extractor."""
    psi = getattr(look.state.game.latent, "psi", None)
    protocol = {
        "run": str(look.path),
        "step": look.state.step,
        "weights": "raw" if look.network is look.state.game.generator else "ema",
        "seed": settings["seed"],
        "truncation": "none" if psi is None else f"every number of z within {psi}",
    }
    if (extractor := look.extractor) is not None:
        weights = "no weights" if extractor.sha256 is None else f"weights' SHA-256 {extractor.sha256}"
        protocol |= {"extractor": f"{extractor.name}, {weights}", "resize": extractor.resize}
    return protocol


class Fakes:
    """An endless row of a run's samples, kept in 8 bits as a file would hold them.

    Args:
        look: whose generator, prior and condition are used.
        y: labels (N,) of real samples; where the run has classes, those of its samples are drawn from them.
        settings: `seed` and `batch_size` are used.
    """

    def __init__(self, look: Look, y: Tensor | None, settings: dict[str, Any]) -> None:
        self._labels = y
        self._game, self._network, self._batch_size = look.state.game, look.network, settings["batch_size"]
        self._draws = Draws(next(self._game.parameters()).device, settings["seed"], "sample")
        self._kept: Tensor | None = None

    def rows(self, start: int, stop: int) -> Tensor:
        """Return samples start to stop, images in [-1, 1]; the same ones however often and in what pieces."""
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
    """Write strict JSON; the path holds all of it or what it held.

    Raises:
        UserError: it cannot be written.
    """
    text = json.dumps(content, indent=1, allow_nan=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, [text.encode() + b"\n"])
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error
