"""Begins a new run with the weights of another one."""

from __future__ import annotations

import sys
from pathlib import Path

from torch import Tensor

from gan_cli.config.schema import RunConfig
from gan_cli.core.text import say
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.training.state import TrainState, below

_PLAYERS = ("generator.", "critic.")
_SHOWN = 4  # names of tensors in the report


def begin_with(state: TrainState, config: RunConfig) -> str:
    """Give a new state the weights and statistics of the run `init_from` that match by name and shape.

    Optimizers, the loss's own state, the step and the place in the data stay as they are at the start of a run; a
    moving average begins as a copy of the generator.

    Returns:
        what was taken and what was not, in a line.

    Raises:
        UserError: there is no such run, it has no such weights, or nothing of it matches.
    """
    path, weights = Path(config.init_from), config.init_weights
    directory.read_config(path)
    found = checkpoint.load(path / directory.CHECKPOINTS, lambda text: say(text, sys.stderr))
    theirs = {name: t for name, t in below(found.tensors, "game/").items() if name.startswith(_PLAYERS)}
    average = {f"generator.{name}": t for name, t in below(found.tensors, "ema/").items()}
    if weights == "ema" and not average:
        raise UserError(f"init_weights=ema: {path} kept no moving average of its generator; init_weights=raw")
    if weights != "raw":
        theirs |= average
    ours = {name: t for name, t in state.game.state_dict().items() if name.startswith(_PLAYERS)}
    matching = {name: t for name, t in theirs.items() if name in ours and ours[name].shape == t.shape}
    if not any(t.dim() > 1 for t in matching.values()):
        raise UserError(
            f"init_from={path}: none of its weights has the name and shape of a weight of this run; use "
            "the model and dataset.image_size of that run"
        )
    state.game.load_state_dict(matching, strict=False)
    if state.ema:
        state.ema.network.load_state_dict(state.game.generator.state_dict())
    return _report(path, found.meta["step"], matching, ours, theirs)


def _report(
    path: Path, step: int, matching: dict[str, Tensor], ours: dict[str, Tensor], theirs: dict[str, Tensor]
) -> str:
    text = f"started from the weights of {path} at step {step}: {len(matching)} of {len(ours)} tensors"
    drawn = [name for name in ours if name not in matching]
    unused = [name for name in theirs if name not in ours]
    for label, names in (("newly drawn", drawn), ("not taken", unused)):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            text += f"; {label}: {', '.join(names[:_SHOWN])}{more}"
    return text
