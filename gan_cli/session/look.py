"""Opens a run to analyse it: its networks, its data, and the extractor that suits them."""

from __future__ import annotations

import sys
from pathlib import Path

from gan_cli.analysis.look import Demand, Look
from gan_cli.analysis.reals import open_singly
from gan_cli.config.command_schemas import GeneratorConfig
from gan_cli.core.text import say
from gan_cli.data.source import RealData
from gan_cli.data.unused import summary
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.session import build, single_parts
from gan_cli.session.given import Given
from gan_cli.session.load import Loaded, generator_of, load
from gan_cli.training.sampling import require_noise


def open_data(path: Path, run: Loaded) -> RealData:
    """Open a run's data, a sample a batch, in an order that is the same for every run; warn if they have changed.

    Raises:
        UserError: they are not there.
    """
    device = next(run.state.game.parameters()).device
    if run.state.game.task.reads == "vector":  # made of the images by the task alone
        of_device = run.config.replace(runtime=run.config.runtime.replace(device=str(device)))
        _, data = build.check(of_device, given=run.given).open()
    else:
        data = open_singly(single_parts.dataset(run.config, run.given), device, single_parts.task(run.config))
    sessions = reading.status(path).get("sessions") or [{}]
    if sessions[-1].get("data") not in (None, data.fingerprint):
        say(f"gan: warning: {path} was trained on other data than its config names now", sys.stderr)
    if data.unused:
        say(f"not used: {summary(data.unused)}", sys.stderr)
    return data


def look(config: GeneratorConfig, data: Demand = "needed", sources: bool = False, given: Given | None = None) -> Look:
    """Open a run, and its data and the extractor that the command's config names or leaves to the data.

    Args:
        config: of a command; its `extractor` is used where data are.
        data: `none`: neither data nor extractor are opened; `wanted`: they are left out where they cannot be.
        sources: the command can use a generator that reads more than z.
        given: what Python gives in the place of parts; None: nothing.

    Raises:
        UserError: there is no run, no good checkpoint, or a generator that makes nothing of z alone; where needed, no
            data to compare with, or no extractor for them.
    """
    path = Path(config.run)
    run = load(path, config.device, config.checkpoint, config.allow_targets, given)
    if not sources:
        require_noise(run.state.game)
    found = Look(path, run.state, generator_of(run.state, config.weights), run.shape, None, None)
    if data == "none":
        return found
    try:
        found = found._replace(data=open_data(path, run))
        if len(run.shape) == 3:
            extractor = single_parts.extractor(config).choose(found.data)
            extractor.load(found.device)
            found = found._replace(extractor=extractor)
    except UserError as error:
        if data == "needed":
            raise
        return found._replace(lacking=str(error))
    return found
