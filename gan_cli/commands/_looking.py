"""What the commands that look into a finished run share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli import build, config
from gan_cli.analysis.reals import as_stored, open_singly
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.files import replace_file
from gan_cli.rng import Draws
from gan_cli.training import rundir
from gan_cli.training.sampling import sample
from gan_cli.training.state import TrainState


def open_data(path: Path, settings: dict[str, Any], device: torch.device) -> RealData:
    """Open a run's data, a sample a batch, in an order that is the same for every run; tell if they have changed.

    Raises:
        UserError: they are not there.
    """
    saved = config.validate_saved(rundir.read_config(path), settings["allow_targets"])
    data = open_singly(build.dataset(saved), device)
    sessions = rundir.read_status(path).get("sessions") or [{}]
    if sessions[-1].get("data") not in (None, data.fingerprint):
        print(f"gan: warning: {path} was trained on other data than its config names now", file=sys.stderr)
    return data


def fakes(state: TrainState, network: nn.Module, n: int, settings: dict[str, Any], device: torch.device) -> Batch:
    """Return n samples, images as a file would hold them, with labels where the run has them: each class in turn."""
    draws = Draws(device, settings["seed"], "sample")
    x = torch.cat([as_stored(part) for part in sample(state.game, network, n, draws, settings["batch_size"])])
    condition = state.game.condition
    return Batch(x, torch.arange(n, device=device) % condition.n_classes if condition.needs_labels else None)


def looking_protocol(
    path: Path, state: TrainState, network: nn.Module, extractor: Extractor | None, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return what every result depends on: the run, its generator, how it is drawn from, the extractor."""
    psi = getattr(state.game.latent, "psi", None)
    protocol = {
        "run": str(path),
        "step": state.step,
        "weights": "raw" if network is state.game.generator else "ema",
        "seed": settings["seed"],
        "truncation": "none" if psi is None else f"every number of z within {psi}",
    }
    if extractor is not None:
        weights = "no weights" if extractor.sha256 is None else f"weights' SHA-256 {extractor.sha256}"
        protocol |= {"extractor": f"{extractor.name}, {weights}", "resize": extractor.resize}
    return protocol


class Fakes:
    """An endless row of a run's samples, kept in 8 bits as a file would hold them; labels, where needed, are drawn too.

    Args:
        state: whose prior and condition are used.
        network: the generator or its moving average.
        settings: `seed` and `batch_size` are used.
        device: where the samples are made.
    """

    def __init__(self, state: TrainState, network: nn.Module, settings: dict[str, Any], device: torch.device) -> None:
        self._state, self._network, self._batch_size = state, network, settings["batch_size"]
        self._draws = Draws(device, settings["seed"], "sample")
        self._kept: Tensor | None = None

    def rows(self, start: int, stop: int) -> Tensor:
        """Return samples start to stop, images in [-1, 1]; the same ones however often and in what pieces."""
        have = 0 if self._kept is None else len(self._kept)
        if stop > have:
            fresh = self._stored(stop - have)
            self._kept = fresh if self._kept is None else torch.cat([self._kept, fresh])
        rows = self._kept[start:stop]
        return rows.float() / 127.5 - 1 if rows.dtype == torch.uint8 else rows

    def _stored(self, n: int) -> Tensor:
        condition = self._state.game.condition
        y = None
        if condition.needs_labels:
            y = (self._draws.uniform("labels", n) * condition.n_classes).long().clamp(max=condition.n_classes - 1)
        parts = sample(self._state.game, self._network, n, self._draws, self._batch_size, y)
        return torch.cat([((x.clamp(-1, 1) + 1) * 127.5).round().byte() if x.dim() == 4 else x for x in parts])


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
