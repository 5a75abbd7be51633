"""Brings a checkpoint's tensors and counts into a state."""

from __future__ import annotations

from gan_cli.errors import UserError
from gan_cli.runs.checkpoint_files import Checkpoint
from gan_cli.training.state import TrainState


def restore(state: TrainState, found: Checkpoint) -> None:
    """Restore a state: the tensors, the step and the place in the data.

    Raises:
        UserError: the checkpoint belongs to another config.
    """
    try:
        state.check_fit(found.tensors)
        state.load(found.tensors)
        state.check_finite()
        state.step, state.real_batches = int(found.meta["step"]), int(found.meta["real_batches"])
        state.critic_updates = int(found.meta["critic_updates"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{found.path} does not fit the config beside it: {reason}") from error
