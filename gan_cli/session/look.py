"""Opens a run to analyse it: its networks, its data, and the extractor that suits them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from gan_cli.analysis.look import Demand, Look
from gan_cli.analysis.reals import open_singly
from gan_cli.config.schema import GeneratorConfig
from gan_cli.config.validate import validate_saved
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.session.load import generator_of, load
from gan_cli.training.sampling import require_noise


def open_data(path: Path, allow_targets: Sequence[str], device: torch.device) -> RealData:
    """Open a run's data, a sample a batch, in an order that is the same for every run; warn if they have changed.

    Raises:
        UserError: they are not there.
    """
    config = validate_saved(directory.read_config(path), allow_targets)
    data = open_singly(build.dataset(config), device, build.task(config))
    sessions = directory.read_status(path).get("sessions") or [{}]
    if sessions[-1].get("data") not in (None, data.fingerprint):
        print(f"gan: warning: {path} was trained on other data than its config names now", file=sys.stderr)
    return data


def look(config: GeneratorConfig, data: Demand = "needed", sources: bool = False) -> Look:
    """Open a run, and its data and the extractor that the command's config names or leaves to the data.

    Args:
        config: of a command; its `extractor` is used where data are.
        data: `none`: neither data nor extractor are opened; `wanted`: they are left out where they cannot be.
        sources: the command can use a generator that reads more than z.

    Raises:
        UserError: there is no run, no good checkpoint, or a generator that makes nothing of z alone; where needed, no
            data to compare with, or no extractor for them.
    """
    path = Path(config.run)
    state, shape, *_ = load(path, config.device, config.checkpoint, config.allow_targets)
    if not sources:
        require_noise(state.game)
    found = Look(path, state, generator_of(state, config.weights), shape, None, None)
    if data == "none":
        return found
    try:
        found = found._replace(data=open_data(path, config.allow_targets, found.device))
        if len(shape) == 3:
            extractor = build.extractor(config).choose(found.data)
            extractor.load(found.device)
            found = found._replace(extractor=extractor)
    except UserError as error:
        if data == "needed":
            raise
        return found._replace(lacking=str(error))
    return found
